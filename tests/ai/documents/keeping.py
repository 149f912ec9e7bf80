"""A workflow as users write it: imported into the sandbox without a word about it."""

from __future__ import annotations

from temporalio import workflow
from temporalio.common import RetryPolicy

from outlive.ai.documents import IndexReport, index_folder


@workflow.defn
class Keep:
    @workflow.run
    async def run(self, sources: list[str]) -> IndexReport:
        return await index_folder(*sources, batch=2, retry_policy=RetryPolicy(maximum_attempts=3))
