"""Language models through an OpenAI-compatible address: a small server here that answers as one would."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from examples.research_pipeline.language_model import LanguageModel, ModelEmbedder
from examples.research_pipeline.models import Excerpt, ModelRefused, NumberedFinding
from examples.research_pipeline.settings import analyst_from_environment, embedder_from_environment

_EXCERPT = Excerpt("Ferries", [(0, "A ferry crosses."), (4, "Tickets are sold at the quay.")])


@dataclass
class Provider:
    """What the server will answer, and what it was asked."""

    status: int = 200
    answer: dict[str, Any] = field(default_factory=dict)
    asked: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    def reply(self, path: str, request: dict[str, Any]) -> dict[str, Any]:
        """The body for one request."""
        self.asked.append((path, request))
        if self.status != 200:
            return {"error": {"message": "no", "type": "t", "code": "c"}}
        if path.endswith("/embeddings"):
            vectors = [{"object": "embedding", "index": n, "embedding": [1.0, n]} for n in range(len(request["input"]))]
            return {
                "object": "list",
                "data": vectors,
                "model": "e",
                "usage": {"prompt_tokens": 9, "total_tokens": 9},
            }
        call = {"name": request["tools"][0]["function"]["name"], "arguments": json.dumps(self.answer)}
        message = {"role": "assistant", "tool_calls": [{"id": "1", "type": "function", "function": call}]}
        return {
            "id": "1",
            "object": "chat.completion",
            "created": 1,
            "model": request["model"],
            "choices": [{"index": 0, "finish_reason": "tool_calls", "message": message}],
            "usage": {"prompt_tokens": 120, "completion_tokens": 30, "total_tokens": 150},
        }


@pytest.fixture
def provider(monkeypatch: pytest.MonkeyPatch) -> Iterator[Provider]:
    """An OpenAI-compatible server on this machine, named in the environment."""
    state = Provider()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            body = json.dumps(state.reply(self.path, request)).encode()
            self.send_response(state.status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Keep the test's output clean."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("OPENAI_BASE_URL", f"http://127.0.0.1:{server.server_address[1]}/v1")
        monkeypatch.setenv("OPENAI_API_KEY", "key")
        yield state
        server.shutdown()


async def test_an_analysis_is_one_request_with_the_passages_numbered(provider: Provider) -> None:
    finding = {"claim": "At the quay.", "passage": 4, "quote": "Tickets are sold at the quay."}
    provider.answer = {"summary": "They are.", "findings": [finding]}
    reply = await LanguageModel("openai-chat:m").analyse("Where are tickets?", _EXCERPT)
    assert reply.answer.model_dump() == provider.answer
    assert (reply.usage.input_tokens, reply.usage.output_tokens) == (120, 30)
    assert reply.usage.cost_usd is None
    ((path, request),) = provider.asked
    assert path == "/v1/chat/completions"
    assert request["model"] == "m"
    asked = json.dumps(request["messages"])
    assert "Where are tickets?" in asked
    assert "[passage 4]\\nTickets are sold at the quay." in asked


async def test_a_known_model_has_a_price(provider: Provider) -> None:
    provider.answer = {"statements": [{"text": "t", "findings": [1]}]}
    model = LanguageModel("openai-chat:gpt-4o")
    reply = await model.summarise("Why?", [NumberedFinding(1, "Ferries", "They float.")])
    assert reply.answer.statements[0].findings == [1]
    assert reply.usage.cost_usd is not None
    assert 0 < reply.usage.cost_usd < 0.01


@pytest.mark.parametrize("status", [401, 403, 404])
async def test_a_refusal_is_final_and_asked_once(provider: Provider, status: int) -> None:
    provider.status = status
    with pytest.raises(ModelRefused, match="openai-chat:m refused the request"):
        await LanguageModel("openai-chat:m").analyse("Why?", _EXCERPT)
    assert len(provider.asked) == 1


@pytest.mark.parametrize("status", [429, 500, 503])
async def test_what_may_pass_is_left_to_the_activity_to_retry(provider: Provider, status: int) -> None:
    provider.status = status
    with pytest.raises(Exception, match=r"no|status") as raised:
        await LanguageModel("openai-chat:m").analyse("Why?", _EXCERPT)
    assert not isinstance(raised.value, ModelRefused)
    assert len(provider.asked) == 1


async def test_an_answer_of_the_wrong_shape_is_not_asked_for_again(provider: Provider) -> None:
    provider.answer = {"nothing": "of the kind"}
    with pytest.raises(Exception) as raised:  # noqa: B017, PT011: any error, but after one request
        await LanguageModel("openai-chat:m").analyse("Why?", _EXCERPT)
    assert not isinstance(raised.value, ModelRefused)
    assert len(provider.asked) == 1


async def test_embeddings_are_one_request_and_counted(provider: Provider) -> None:
    vectors = await ModelEmbedder("openai:e").embed(["one", "two"])
    assert vectors.values == [[1.0, 0.0], [1.0, 1.0]]
    assert vectors.usage.input_tokens == 9
    assert [path for path, _ in provider.asked] == ["/v1/embeddings"]


@pytest.mark.parametrize("name", ["nonsense", "openai", "nobody:model"])
def test_a_name_that_cannot_work_is_refused_at_once(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OUTLIVE_MODEL", name)
    monkeypatch.setenv("OUTLIVE_EMBEDDING_MODEL", name)
    with pytest.raises(ModelRefused, match=f"OUTLIVE_MODEL='{name}' cannot be used"):
        analyst_from_environment(0)
    with pytest.raises(ModelRefused, match=f"OUTLIVE_EMBEDDING_MODEL='{name}' cannot be used"):
        embedder_from_environment()


def test_a_missing_key_is_said_before_any_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ANTHROPIC_API_KEY", raising=False)
    monkeypatch.setenv("OUTLIVE_MODEL", "anthropic:claude-haiku-5-5")
    with pytest.raises(ModelRefused, match="ANTHROPIC_API_KEY"):
        analyst_from_environment(0)


def test_without_a_name_the_stand_in_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OUTLIVE_MODEL", raising=False)
    monkeypatch.delenv("OUTLIVE_EMBEDDING_MODEL", raising=False)
    assert not analyst_from_environment(0).is_language_model
    assert not embedder_from_environment().is_model
