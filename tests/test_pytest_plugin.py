"""The fixtures, in test runs of their own: by pytest-asyncio, by anyio, by nobody."""

from __future__ import annotations

from importlib.metadata import entry_points

import pytest

pytest_plugins = ["pytester"]

MODULE = "outlive.pytest_plugin"
INSTALLED = any(each.value == MODULE for each in entry_points(group="pytest11"))
PLUGIN = () if INSTALLED else ("-p", MODULE)

WORKFLOW = """
    import asyncio
    from datetime import timedelta
    import pytest
    from temporalio import workflow
    from temporalio.worker import UnsandboxedWorkflowRunner, Worker

    @workflow.defn
    class Nap:
        @workflow.run
        async def run(self, days: int) -> int:
            await workflow.sleep(timedelta(days=days))
            return days

    async def nap(client, days):
        worker = Worker(client, task_queue="q", workflows=[Nap], workflow_runner=UnsandboxedWorkflowRunner())
        async with worker:
            return await client.execute_workflow(Nap.run, days, id="nap", task_queue="q")
"""

TESTS = """
    {mark}
    async def test_client(outlive_client):
        assert await nap(outlive_client, 0) == 0

    {mark}
    async def test_namespaces_are_apart(outlive_env, outlive_client):
        assert outlive_env.client is outlive_client
        assert [each async for each in outlive_client.list_workflows()] == []
        assert await nap(outlive_client, 0) == 0

    {mark}
    async def test_time(outlive_time_skipping_env):
        assert await nap(outlive_time_skipping_env.client, 400) == 400

    {mark}
    async def test_time_is_the_tests_own(outlive_time_skipping_env):
        from datetime import UTC, datetime
        now = await outlive_time_skipping_env.get_current_time()
        assert abs(now - datetime.now(UTC)) < timedelta(minutes=5)
"""


def run(pytester: pytest.Pytester, tests: str, *arguments: str) -> pytest.RunResult:
    pytester.makepyfile(WORKFLOW + tests)
    return pytester.runpytest_subprocess(*PLUGIN, *arguments)


def test_with_pytest_asyncio_in_strict_mode(pytester: pytest.Pytester) -> None:
    tests = TESTS.format(mark="@pytest.mark.asyncio")
    run(pytester, tests, "--asyncio-mode=strict").assert_outcomes(passed=4)


def test_with_pytest_asyncio_in_auto_mode(pytester: pytest.Pytester) -> None:
    run(pytester, TESTS.format(mark=""), "--asyncio-mode=auto").assert_outcomes(passed=4)


def test_with_anyio(pytester: pytest.Pytester) -> None:
    pytester.makeconftest("import pytest\n@pytest.fixture\ndef anyio_backend():\n    return 'asyncio'\n")
    tests = TESTS.format(mark="@pytest.mark.anyio")
    run(pytester, tests, "-p", "no:asyncio").assert_outcomes(passed=4)


def test_with_a_loop_of_the_tests_own(pytester: pytest.Pytester) -> None:
    tests = """
    def test_plain(outlive_client, outlive_server):
        assert outlive_server.address.startswith("127.0.0.1:")
        assert asyncio.run(nap(outlive_client, 0)) == 0
    """
    run(pytester, tests).assert_outcomes(passed=1)


def test_nothing_is_imported_for_tests_that_do_not_ask(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import sys
        def test_nothing():
            assert "temporalio" not in sys.modules
            assert "outlive.server" not in sys.modules
        """
    )
    pytester.runpytest_subprocess(*PLUGIN).assert_outcomes(passed=1)


def test_fixtures_are_described(pytester: pytest.Pytester) -> None:
    listed = pytester.runpytest_subprocess(*PLUGIN, "--fixtures", "-q").stdout.str()
    for name in ("outlive_server", "outlive_env", "outlive_client", "outlive_time_skipping_env"):
        assert name in listed
