"""View models to answers: HTML through Jinja, or JSON, by what the caller asks for."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from datetime import date, datetime
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import Response

from outlive.web import text
from outlive.web.forms import csrf_token
from outlive.web.links import Links
from outlive.web.markdown import markdown
from outlive.web.nav import Place
from outlive.web.views import columns, times
from outlive.web.views.groups import RunLink
from outlive.web.views.runs import RunRow, RunsQuery, RunsView, quoted

HERE: Final = Path(__file__).parent
STATIC: Final = HERE / "static"
STYLES: Final = (
    "tokens",
    "ground",
    "shell",
    "parts",
    "tables",
    "runs",
    "run",
    "values",
)  # in this order, on every page


def static_version() -> str:
    """A short digest of every file that browsers cache."""
    digest = hashlib.sha256()
    for path in sorted(STATIC.rglob("*")):
        if path.is_file():
            digest.update(path.relative_to(STATIC).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:12]


class Renderer:
    """The templates, with the functions that they call. ``places`` are those of the navigation."""

    places: tuple[Place, ...] = ()
    has_ledger: bool = False

    def __init__(self, links: Links) -> None:
        self._env = Environment(
            loader=FileSystemLoader(HERE / "templates"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._env.filters.update(
            visible=text.visible,
            markdown=markdown,
            json_markup=text.json_markup,
            plain=text.plain,
            camel=text.camel,
            utc=times.utc,
            iso=times.iso,
            span=times.span,
            size=size,
        )
        self._env.globals.update(
            links=links,
            link=_link,
            run_link=RunLink,
            next_page=_next_page,
            by_type=_by_type,
            by_queue=_by_queue,
            csrf_token=csrf_token,
            styles=STYLES,
            places=lambda: self.places,
            asking=dataclasses.replace,
            has_ledger=lambda: self.has_ledger,
            all_columns=columns.BUILT_IN,
        )

    def html(self, template: str, **values: Any) -> str:
        """A template with its values."""
        return self._env.get_template(template).render(**values)


def _link(namespace: str, row: RunRow) -> RunLink:
    return RunLink(namespace, row.workflow_id, row.run_id)


def _next_page(view: RunsView) -> RunsQuery:
    return dataclasses.replace(view.query, page=view.next_page)


def _by_queue(name: str) -> str:
    return f"TaskQueue = {quoted(name)}"


def _by_type(name: str) -> str:
    return f"WorkflowType = {quoted(name)}"


def wants_json(request: Request) -> bool:
    """Whether the caller is a program: ``?format=json``, or it accepts JSON and no HTML."""
    if request.query_params.get("format") == "json":
        return True
    accept = request.headers.get("accept", "")
    return "application/json" in accept and "text/html" not in accept


def json_response(view: Any, status: int = 200) -> Response:
    """The view model as JSON: snake case, moments in ISO 8601, absent things null."""
    body = json.dumps(view, default=_plain, ensure_ascii=False, indent=2) + "\n"
    return Response(body, status_code=status, media_type="application/json")


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    if isinstance(value, datetime):
        return times.iso(value)
    if isinstance(value, date):
        return value.isoformat()
    raise TypeError(f"a {type(value).__name__} in a view model")


def size(count: int) -> str:
    """Bytes for a person: ``812 B``, ``4.1 kB``, ``2.0 MB``."""
    if count < 1000:
        return f"{count} B"
    return f"{count / 1000:.1f} kB" if count < 1_000_000 else f"{count / 1_000_000:.1f} MB"
