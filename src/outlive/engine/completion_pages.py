"""Workflow task completions that are too large for one message: their pages, until the last one comes.

Rules (all of them live in this file)
- Pages may come in any order and more than once: the last sending of a page counts. The final one says by its
  number how many there are before it.
- Pages are kept in memory, by task and attempt. When they take too much, those of the task that was heard of
  longest ago are dropped; a final page then answers ABORTED, and the worker sends all of them again.
- Nothing of a page is looked at before the final one is there: a task completes whole or not at all.
"""

from __future__ import annotations

from collections import OrderedDict

from temporalio.api.workflowservice.v1 import RespondWorkflowTaskCompletedRequest

from outlive.engine.tokens import WorkflowTaskToken
from outlive.errors import Aborted, InvalidArgument
from outlive.limits import COMPLETION_PAGES_BYTES


class CompletionPages:
    """Pages of completions that are not whole yet."""

    def __init__(self) -> None:
        self._of_task: OrderedDict[WorkflowTaskToken, dict[int, RespondWorkflowTaskCompletedRequest]] = OrderedDict()
        self._bytes = 0

    def keep(self, task: WorkflowTaskToken, page: RespondWorkflowTaskCompletedRequest) -> None:
        """Take a page that is not the final one. Raises InvalidArgument for a number below zero."""
        if page.page_number < 0:
            raise InvalidArgument("workflow task completion pagination page number must be non-negative")
        pages = self._of_task.setdefault(task, {})
        self._of_task.move_to_end(task)
        before = pages.get(page.page_number)
        self._bytes += page.ByteSize() - (before.ByteSize() if before is not None else 0)
        pages[page.page_number] = page
        while self._bytes > COMPLETION_PAGES_BYTES and len(self._of_task) > 1:
            self.drop(next(iter(self._of_task)))
        if self._bytes > COMPLETION_PAGES_BYTES:
            self.drop(task)
            raise InvalidArgument(
                f"the pages of this workflow task completion take more than {COMPLETION_PAGES_BYTES} bytes: "
                "complete less at once, or pass large values by reference"
            )

    def whole(
        self, task: WorkflowTaskToken, final: RespondWorkflowTaskCompletedRequest
    ) -> RespondWorkflowTaskCompletedRequest:
        """The completion with its earlier pages. Raises Aborted if some of them are not here."""
        if final.page_number <= 0:
            return final
        pages = self._of_task.get(task)
        if pages is None:
            raise Aborted(
                "workflow task completion buffer lost for scheduled event "
                f"{task.scheduled_event_id} attempt {task.attempt}: send all its pages again"
            )
        result = RespondWorkflowTaskCompletedRequest()
        for number in range(final.page_number):
            if number not in pages:
                raise Aborted(f"workflow task completion buffer missing page {number} of {final.page_number}")
            result.commands.extend(pages[number].commands)
            result.messages.extend(pages[number].messages)
            for query, answer in pages[number].query_results.items():
                result.query_results[query].CopyFrom(answer)
        result.MergeFrom(final)
        return result

    def drop(self, task: WorkflowTaskToken) -> None:
        """Forget the task's pages: it has been answered."""
        for page in self._of_task.pop(task, {}).values():
            self._bytes -= page.ByteSize()
