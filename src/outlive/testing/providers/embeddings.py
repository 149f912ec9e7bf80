"""OpenAI's Embeddings. They go through the same desk as answers, as a protocol whose answer is vectors."""

from __future__ import annotations

import base64
import struct
from collections.abc import Iterator, Mapping

from outlive.testing.providers.asks import Answer, Ask, Json, Problem
from outlive.testing.providers.making import input_tokens, vector
from outlive.testing.providers.openai_common import OpenAIWords
from outlive.testing.providers.protocol import Frame, needed

_DIMENSIONS = 256
_INPUTS_MAX = 2048  # of one request


class Embeddings(OpenAIWords):
    """`POST /v1/embeddings`."""

    def read(self, body: Mapping[str, Json]) -> Ask:
        model, given = needed(body, "model", str), needed(body, "input", (str, list))
        texts = [given] if isinstance(given, str) else given
        if not texts or len(texts) > _INPUTS_MAX or not all(isinstance(text, str) for text in texts):
            raise Problem("bad_request", f"'$.input' must be 1 to {_INPUTS_MAX} strings.")
        return Ask("embeddings", model, inputs=tuple(texts), dimensions=body.get("dimensions"), body=body)

    def whole(self, ask: Ask, answer: Answer, ident: str, now: float) -> Json:
        vectors = (vector(text, ask.dimensions or _DIMENSIONS) for text in ask.inputs)
        packed = ask.body.get("encoding_format") == "base64"
        used = input_tokens(ask)
        data = [
            {"object": "embedding", "index": index, "embedding": _packed(values) if packed else values}
            for index, values in enumerate(vectors)
        ]
        usage = {"prompt_tokens": used, "total_tokens": used}
        return {"object": "list", "data": data, "model": ask.model, "usage": usage}

    def frames(self, ask: Ask, answer: Answer, ident: str, now: float) -> Iterator[Frame]:
        raise Problem("bad_request", "embeddings are not streamed.")


def _packed(values: list[float]) -> str:
    return base64.b64encode(struct.pack(f"<{len(values)}f", *values)).decode()
