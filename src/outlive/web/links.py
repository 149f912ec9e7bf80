"""Addresses of pages, below the base path. The one place that knows what they look like."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from urllib.parse import quote, urlencode

from outlive.web import bounds
from outlive.web.nav import Place
from outlive.web.views.groups import RunLink
from outlive.web.views.history import HistoryWindow
from outlive.web.views.runs import RunsQuery
from outlive.web.views.status import Status


def _segment(text: str) -> str:
    return quote(text, safe="")


def list_params(query: RunsQuery) -> dict[str, str]:
    """The parameters of a list's address."""
    asked = {
        "query": query.filter,
        "status": query.status or "",
        "page": query.page,
        "columns": ",".join(query.columns),
        "sort": query.sort,
    }
    return {name: value for name, value in asked.items() if value}


class Links:
    """``base`` is the path that the pages live below, with no slash at its end; ``version`` is the files'."""

    def __init__(self, base: str, version: str) -> None:
        self.base = base
        self.version = version

    def home(self) -> str:
        """The first page."""
        return f"{self.base}/"

    def namespaces(self) -> str:
        """The list of namespaces."""
        return f"{self.base}/namespaces"

    def place(self, place: Place, namespace: str) -> str:
        """A place of the navigation."""
        return self.base + place.path.replace("{namespace}", _segment(namespace))

    def within(self, namespace: str, *parts: str, **query: str) -> str:
        """A page of a namespace: ``within("default", "schedules", schedule_id, tab="runs")``."""
        path = "/".join([f"{self.base}/namespaces/{_segment(namespace)}", *map(_segment, parts)])
        given = {name: value for name, value in query.items() if value}
        return f"{path}?{urlencode(given)}" if given else path

    def static(self, name: str) -> str:
        """A file of ours; its address changes with the content of any, so that it is cached for good."""
        return f"{self.base}/static/{self.version}/{name}"

    def runs(self, query: RunsQuery, *, live: bool = False) -> str:
        """A list of runs, or the stream that keeps it fresh."""
        path = f"{self.base}/namespaces/{_segment(query.namespace)}/workflows{'.live' if live else ''}"
        given = list_params(query)
        return f"{path}?{urlencode(given)}" if given else path

    def view(self, namespace: str, params: Mapping[str, str]) -> str:
        """A list of runs by the parameters of its address, as a saved view keeps them."""
        return self.within(namespace, "workflows", **params)

    def bulk(self, namespace: str, query: RunsQuery, chosen: Sequence[str], operation: str) -> str:
        """What a batch over the runs of a list, or over those chosen on it, would do."""
        asked = [*list_params(query).items(), *(("run", run) for run in chosen), ("do", operation)]
        return f"{self.within(namespace, 'workflows.bulk')}?{urlencode(asked)}"

    def search(self, namespace: str, filter: str = "", status: Status | None = None) -> str:
        """The list of runs of a filter."""
        return self.runs(RunsQuery(namespace, filter, status))

    def run(self, link: RunLink) -> str:
        """One run's page; the latest run's where no run is named."""
        path = f"{self.base}/namespaces/{_segment(link.namespace)}/workflows/{_segment(link.workflow_id)}"
        return f"{path}/{_segment(link.run_id)}" if link.run_id else path

    def of_run(self, link: RunLink, tail: str) -> str:
        """A page of a run beside its own, or what a form of it is sent to."""
        return f"{self.run(link)}/{tail}"

    def compare(self, left: RunLink, right: RunLink) -> str:
        """Two runs side by side."""
        asked = {"a": left.workflow_id, "a_run": left.run_id, "b": right.workflow_id, "b_run": right.run_id}
        return self.within(left.namespace, "compare", **asked)

    def history(self, link: RunLink, first: int) -> str:
        """One run's page with its history listed from an event on."""
        return f"{self.run(link)}?from={first}#history" if first > 1 else f"{self.run(link)}#history"

    def event(self, window: HistoryWindow, event_id: int) -> str:
        """An event on its run's page, from a page that lists ``window``: relative, for there are many."""
        if window.first <= event_id <= window.last:
            return f"#event-{event_id}"
        first = (event_id - 1) // bounds.HISTORY_WINDOW * bounds.HISTORY_WINDOW + 1
        return f"?from={first}#event-{event_id}"

    def run_live(self, link: RunLink, window: HistoryWindow) -> str:
        """The stream that keeps a run's page fresh, adding events where the page lists the newest."""
        follow = 0 if window.next else 1
        return f"{self.run(link)}/live?first={window.first}&last={window.last}&follow={follow}"

    def history_json(self, link: RunLink) -> str:
        """The whole history, in the JSON form that SDKs replay."""
        return f"{self.run(link)}/history.json"
