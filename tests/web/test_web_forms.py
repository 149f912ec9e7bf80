"""Forms: who may send them, what is read of them, and how a page of the application answers them."""

from __future__ import annotations

import re

import httpx
import pytest
from grpc import StatusCode
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from outlive.client import BadRequest, WorkflowServiceClient
from outlive.web import bounds
from outlive.web.app import utcnow
from outlive.web.forms import Done, FieldProblems, Form, Sessions, Shown, csrf_token
from outlive.web.links import Links
from outlive.web.site import Site

SCRIPT = {"x-outlive-form": "1"}


async def handler(request: Request, form: Form) -> Done | Shown:
    if form.flag("ask"):
        raise BadRequest(StatusCode.INVALID_ARGUMENT, "the server does not like it")
    return Done("/things", f"{form.needed('name', 'a name')} × {form.number('count', 1, 10, 1)}")


@pytest.fixture
def http() -> httpx.AsyncClient:
    site = Site(WorkflowServiceClient("127.0.0.1:1"), None, Links("", "v"), utcnow)

    async def page(request: Request) -> Response:
        return site.page(request, "problem.html", None)

    app = Starlette(
        routes=[Route("/", page), Route("/do", site.action(handler), methods=["POST"])],
        middleware=[Middleware(Sessions, guard=site.guard, path="")],
    )
    site.renderer.html = lambda *_, **values: csrf_token() + str(values.get("notice", ""))  # type: ignore[method-assign]
    return httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://pages")


async def token_of(http: httpx.AsyncClient) -> str:
    answer = await http.get("/")
    assert re.fullmatch("[0-9a-f]{64}", answer.text)
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    return answer.text


async def test_a_form_with_its_token_is_done(http: httpx.AsyncClient) -> None:
    token = await token_of(http)
    answer = await http.post("/do", data={"token": token, "name": "x", "count": "3"}, headers=SCRIPT)
    assert answer.json() == {"location": "/things", "words": "x × 3"}
    plain = await http.post("/do", data={"token": token, "name": "x"})
    assert (plain.status_code, plain.headers["location"]) == (303, "/things")
    assert (await http.get("/")).text.endswith("x × 1"), "what was done is said on the next page"


@pytest.mark.parametrize(
    "headers", [{"origin": "https://evil.example"}, {"sec-fetch-site": "cross-site"}, {"sec-fetch-site": "same-site"}]
)
async def test_another_sites_form_is_not_taken(http: httpx.AsyncClient, headers: dict[str, str]) -> None:
    token = await token_of(http)
    answer = await http.post("/do", data={"token": token, "name": "x"}, headers={**SCRIPT, **headers})
    assert "another site" in answer.json()["problems"][""]
    plain = await http.post("/do", data={"token": token, "name": "x"}, headers=headers)
    assert plain.status_code == 403


async def test_a_form_without_token_or_with_anothers_is_not_taken(http: httpx.AsyncClient) -> None:
    token = await token_of(http)
    for data in ({"name": "x"}, {"name": "x", "token": token[::-1]}):
        assert (await http.post("/do", data=data)).status_code == 403
    http.cookies.clear()
    assert (await http.post("/do", data={"name": "x", "token": token})).status_code == 403


async def test_what_is_wrong_is_said_by_field(http: httpx.AsyncClient) -> None:
    token = await token_of(http)
    answer = await http.post("/do", data={"token": token}, headers=SCRIPT)
    assert answer.json() == {"problems": {"name": "Needed: a name."}}
    assert (await http.post("/do", data={"token": token})).status_code == 422
    answer = await http.post("/do", data={"token": token, "name": "x", "count": "11"}, headers=SCRIPT)
    assert answer.json() == {"problems": {"count": "A whole number from 1 to 10."}}
    answer = await http.post("/do", data={"token": token, "ask": "1"}, headers=SCRIPT)
    assert "does not like it" in answer.json()["problems"][""]


async def test_a_form_is_bounded(http: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch) -> None:
    token = await token_of(http)
    monkeypatch.setattr(bounds, "FORM_BYTES", 1000)
    answer = await http.post("/do", data={"token": token, "name": "x" * 2000})
    assert answer.status_code == 403
    monkeypatch.setattr(bounds, "FORM_FIELDS", 2)
    answer = await http.post("/do", data={"token": token, "name": "x", "count": "1"})
    assert answer.status_code == 403


@pytest.mark.parametrize("text", ["", "x", "1.5", "٣", "99999999999999999999", "-1"])
def test_a_number_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(FieldProblems):
        Form([("n", text)]).number("n", 0, 10)
