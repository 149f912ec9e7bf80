"""What belongs to a run beside its page: asking it, relatives, model calls, details, comparing, changing."""

from __future__ import annotations

import re

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from temporalio.api.enums.v1 import UpdateWorkflowExecutionLifecycleStage
from temporalio.api.update.v1 import Input, Meta, WaitPolicy
from temporalio.api.update.v1 import Request as UpdateRequest
from temporalio.api.workflowservice.v1 import UpdateWorkflowExecutionRequest

from outlive.web import acts
from outlive.web.forms import Done, FieldProblems, Form, Shown
from outlive.web.pages.run import RUN_AT, link_of, number_of
from outlive.web.site import Handler, Site
from outlive.web.views import again, ask, compare, details, json_history, model_calls, relatives, run
from outlive.web.views.bulk import IDENTITY
from outlive.web.views.groups import RunLink

_RUN_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_STAGE = UpdateWorkflowExecutionLifecycleStage.UPDATE_WORKFLOW_EXECUTION_LIFECYCLE_STAGE_COMPLETED


def routes(site: Site) -> list[Route]:
    """The tabs, and the forms of every tab."""
    page = _Tabs(site)
    found = [
        Route(f"{RUN_AT}/ask", page.ask),
        Route(f"{RUN_AT}/relatives", page.relatives),
        Route(f"{RUN_AT}/model-calls", page.model_calls),
        Route(f"{RUN_AT}/details", page.details),
        Route(f"{RUN_AT}/json", page.json),
        Route(f"{RUN_AT}/again", page.again, methods=["GET"]),
        Route(f"{RUN_AT}/timeline", page.timeline),
        Route("/namespaces/{namespace}/compare", page.compare),
    ]
    posts: dict[str, Handler] = {
        "query": page.query,
        "update": page.update,
        "stack": page.stack,
        "reset": page.reset,
        "delete": page.delete,
        "again": page.start_again,
        **{name: page.acting(act) for name, act in acts.RUN_ACTS.items()},
    }
    found += [Route(f"{RUN_AT}/{name}", site.action(handler), methods=["POST"]) for name, handler in posts.items()]
    return found


class _Tabs:
    def __init__(self, site: Site) -> None:
        self._site = site
        self._client = site.client

    # -- pages

    async def ask(self, request: Request) -> Response:
        """Queries, updates, signals, the call stack."""
        view = await ask.load(self._client, link_of(request), self._site.now)
        return self._site.page(request, "run/ask.html", view, tab="ask")

    async def relatives(self, request: Request) -> Response:
        """The family as a tree."""
        view = await relatives.load(self._client, link_of(request), self._site.now)
        return self._site.page(request, "run/relatives.html", view, tab="relatives")

    async def model_calls(self, request: Request) -> Response:
        """Calls, tokens, money, the conversation."""
        if self._site.ledger is None:
            raise HTTPException(404)
        view = await model_calls.load(self._client, self._site.ledger, link_of(request), self._site.now)
        return self._site.page(request, "run/model_calls.html", view, tab="calls")

    async def details(self, request: Request) -> Response:
        """Everything else that the server tells."""
        view = await details.load(self._client, link_of(request), self._site.now)
        return self._site.page(request, "run/details.html", view, tab="details")

    async def json(self, request: Request) -> Response:
        """The history as JSON, some events at a time."""
        first = number_of(request, "from", 1)
        view = await json_history.load(self._client, link_of(request), first, self._site.now)
        return self._site.page(request, "run/json.html", view, tab="json")

    async def again(self, request: Request) -> Response:
        """The form that starts the workflow again."""
        view = await again.load(self._client, link_of(request), self._site.now)
        return self._site.page(request, "run/again.html", view, tab="")

    async def timeline(self, request: Request) -> Response:
        """The timeline alone, to be shown inside its parent's."""
        link = link_of(request)
        view = await run.load(self._client, link, 1, self._site.links.run(link), self._site.now)
        return self._site.page(request, "run/timeline.html", view, inner=True)

    async def compare(self, request: Request) -> Response:
        """Two runs side by side. A run that is not named is the latest of its workflow id."""
        params = request.query_params
        namespace = self._site.namespace(request)
        left = RunLink(namespace, params.get("a", ""), params.get("a_run", ""))
        right = RunLink(namespace, params.get("b", ""), params.get("b_run", ""))
        if _RUN_ID.fullmatch(right.workflow_id) and not right.run_id:
            right = RunLink(namespace, left.workflow_id, right.workflow_id)
        view = await compare.load(self._client, self._site.ledger, left, right, self._site.now)
        return self._site.page(request, "compare.html", view)

    # -- forms

    def acting(self, act: acts.Act) -> Handler:
        """The handler of an act whose run's page then shows what it did."""

        async def handler(request: Request, form: Form) -> Done:
            link = link_of(request)
            words = await act(self._client, link, form)
            return Done(self._site.links.run(link), words)

        return handler

    async def reset(self, request: Request, form: Form) -> Done:
        """A new run from a point of this one's history; its page comes next."""
        link = link_of(request)
        run_id = await acts.reset(self._client, link, form)
        new = RunLink(link.namespace, link.workflow_id, run_id)
        return Done(self._site.links.run(new), "The run is reset: this is the new one.")

    async def delete(self, request: Request, form: Form) -> Done:
        """Gone; the list comes next."""
        link = link_of(request)
        return Done(self._site.links.search(link.namespace), await acts.delete(self._client, link, form))

    async def start_again(self, request: Request, form: Form) -> Done:
        """Started; its page comes next."""
        new = await again.start(self._client, link_of(request), form)
        return Done(self._site.links.run(new), "It is started.")

    async def query(self, request: Request, form: Form) -> Shown:
        """Ask the run's code, and show what it says."""
        name = form.needed("query", "the query's name")
        arguments = acts.arguments(form)
        found = await ask.query(self._client, link_of(request), name, arguments.payloads if arguments else [])
        if found.HasField("query_rejected"):
            raise FieldProblems({"query": "The run does not take queries as it stands."})
        return Shown("run/answer.html", ask.answer(found.query_result.payloads))

    async def stack(self, request: Request, form: Form) -> Shown:
        """Where the run's code stands."""
        found = await ask.query(self._client, link_of(request), ask.STACK, [])
        return Shown("run/answer.html", ask.stack(found.query_result.payloads))

    async def update(self, request: Request, form: Form) -> Shown:
        """Send an update, wait for what it comes to, and show it."""
        link = link_of(request)
        arguments = acts.arguments(form)
        asked = UpdateRequest(
            meta=Meta(update_id=acts.new_id(), identity=IDENTITY),
            input=Input(name=form.needed("update", "the update's name"), args=arguments),
        )
        answer = await self._client.update_workflow_execution(
            UpdateWorkflowExecutionRequest(
                namespace=link.namespace,
                workflow_execution=acts.execution(link),
                wait_policy=WaitPolicy(lifecycle_stage=_STAGE),
                request=asked,
            )
        )
        if not answer.HasField("outcome"):
            raise FieldProblems({"": "It is accepted, and not done yet: the timeline shows when it is."})
        failed = answer.outcome.HasField("failure")
        failure = answer.outcome.failure if failed else None
        return Shown("run/answer.html", ask.answer(answer.outcome.success.payloads, failure))
