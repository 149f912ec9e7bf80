"""Forms that change something: read within a bound, and only from pages of ours.

Every form carries a token made of the browser's session cookie and a secret of this process; a request that
another site's page sends has no such token, and its ``Origin`` gives it away as well. How it is answered:

    from a browser's script   JSON: ``{"location", "words"}``, ``{"html"}``, or ``{"problems": {field: words}}``
    from a plain form         a redirect, or a page that says what is wrong
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from outlive.web import bounds

COOKIE: Final = "outlive_session"
TOKEN_FIELD: Final = "token"
SCRIPT_HEADER: Final = "x-outlive-form"  # set by static/js/forms.js, which reads the JSON answers
_TOKEN: ContextVar[str] = ContextVar("csrf_token", default="")


def csrf_token() -> str:
    """The token for the forms of the page that is being made."""
    return _TOKEN.get()


class FormRefused(Exception):
    """The form does not come from a page of ours, or from one that is out of date."""


class FieldProblems(Exception):
    """What is wrong with a form: a sentence for each field, by its name; ``""`` is the form as a whole."""

    def __init__(self, problems: Mapping[str, str]) -> None:
        super().__init__("; ".join(problems.values()))
        self.problems = dict(problems)


@dataclass(frozen=True, slots=True)
class Done:
    """It is done: go to ``href`` and say so in ``words``."""

    href: str
    words: str


@dataclass(frozen=True, slots=True)
class Shown:
    """An answer to show below the form: a template and its view model."""

    template: str
    view: Any


class Form:
    """The fields of a form that was sent."""

    def __init__(self, fields: list[tuple[str, str]]) -> None:
        self._fields = fields

    def text(self, name: str, default: str = "") -> str:
        """The field's text, stripped; the first one where there are several."""
        return next((value.strip() for key, value in self._fields if key == name), default)

    def all(self, name: str) -> list[str]:
        """Every value of the field: of checkboxes with one name."""
        return [value for key, value in self._fields if key == name]

    def flag(self, name: str) -> bool:
        """Whether the checkbox was ticked."""
        return bool(self.all(name))

    def needed(self, name: str, expected: str) -> str:
        """The field's text. Raises FieldProblems where it is empty, with what was ``expected``."""
        value = self.text(name)
        if not value:
            raise FieldProblems({name: f"Needed: {expected}."})
        return value

    def number(self, name: str, least: int, most: int, default: int | None = None) -> int:
        """The field as a whole number. Raises FieldProblems where it is none, or out of bounds."""
        text = self.text(name)
        if not text and default is not None:
            return default
        if not text.isascii() or not text.removeprefix("-").isdecimal() or not least <= int(text[:19]) <= most:
            raise FieldProblems({name: f"A whole number from {least:,} to {most:,}."})
        return int(text)


async def read(request: Request) -> Form:
    """The form of the request. Raises FormRefused for one beyond the bounds."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > bounds.FORM_BYTES:
            raise FormRefused(f"A form may have {bounds.FORM_BYTES // 1_000_000} MB at most.")
    try:
        fields = parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=bounds.FORM_FIELDS)
    except ValueError:
        raise FormRefused(f"It is no form, or has more than {bounds.FORM_FIELDS} fields.") from None
    return Form(fields)


class Guard:
    """Makes and checks tokens. Its secret lives as long as the process."""

    def __init__(self, secret: bytes | None = None) -> None:
        self._secret = secret or secrets.token_bytes(32)

    def token(self, session: str) -> str:
        """The token of a browser's session."""
        return hmac.digest(self._secret, session.encode(), "sha256").hex()

    def check(self, request: Request, form: Form) -> None:
        """Raises FormRefused for a form that no page of ours has made for this browser."""
        if not _same_origin(request):
            raise FormRefused("It was sent by a page of another site.")
        expected = self.token(request.cookies.get(COOKIE, ""))
        if not hmac.compare_digest(expected, form.text(TOKEN_FIELD)):
            raise FormRefused("The page was made before the server started again. Reload it and send it once more.")


def _same_origin(request: Request) -> bool:
    """What the browser says of where the form comes from; a browser that says nothing has the token to show."""
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        return site == "same-origin"
    origin = request.headers.get("origin")
    hosts = (request.headers.get("host"), request.headers.get("x-forwarded-host"))
    return origin is None or urlsplit(origin).netloc in hosts


class Sessions:
    """Middleware: gives each browser a session cookie, and pages its token."""

    def __init__(self, app: ASGIApp, guard: Guard, path: str) -> None:
        self._app = app
        self._guard = guard
        self._path = path or "/"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or "/static/" in scope["path"]:
            await self._app(scope, receive, send)
            return
        session = _session(scope)
        fresh = secrets.token_urlsafe(18) if not session else ""
        _TOKEN.set(self._guard.token(session or fresh))

        async def send_with_cookie(message: Message) -> None:
            if message["type"] == "http.response.start" and fresh:
                headers = MutableHeaders(scope=message)
                if headers.get("content-type", "").startswith("text/html"):
                    headers.append("Set-Cookie", self._cookie(fresh, scope))
            await send(message)

        await self._app(scope, receive, send_with_cookie)

    def _cookie(self, value: str, scope: Scope) -> str:
        headers = dict(scope["headers"])
        secure = scope["scheme"] == "https" or headers.get(b"x-forwarded-proto") == b"https"
        return f"{COOKIE}={value}; Path={self._path}; HttpOnly; SameSite=Lax{'; Secure' if secure else ''}"


def _session(scope: Scope) -> str:
    for name, value in scope["headers"]:
        if name == b"cookie":
            try:
                found = SimpleCookie(value.decode("latin-1")).get(COOKIE)
            except CookieError:
                continue
            if found is not None and found.value:
                return found.value
    return ""
