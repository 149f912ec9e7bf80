"""What OpenAI's APIs have in common: errors and headers."""

from __future__ import annotations

from outlive.testing.providers.asks import Json, Problem
from outlive.testing.providers.windows import Standing, Standings

_ERRORS = {
    "bad_request": ("invalid_request_error", None),
    "context_too_long": ("invalid_request_error", "context_length_exceeded"),
    "policy": ("invalid_request_error", "content_policy_violation"),
    "auth": ("invalid_request_error", "invalid_api_key"),
    "not_found": ("invalid_request_error", "model_not_found"),
    "rate_limit": ("tokens", "rate_limit_exceeded"),
    "no_credit": ("insufficient_quota", "insufficient_quota"),
    "server": ("server_error", None),
    "overloaded": ("server_error", "server_is_overloaded"),
}


class OpenAIWords:
    """Errors and headers of OpenAI."""

    def error(self, problem: Problem, request_id: str) -> Json:
        kind, code = _ERRORS[problem.kind]
        message = problem.message
        if problem.kind == "context_too_long":
            message = f"This model's maximum context length was exceeded: {message} tokens."
        return {"error": {"message": message, "type": kind, "param": None, "code": code}}

    def headers(self, request_id: str, standings: Standings, scale: float, now: float) -> dict[str, str]:
        headers = {"x-request-id": request_id, "openai-version": "2020-10-01", "openai-processing-ms": "1"}
        for name, standing in (("requests", standings.requests), ("tokens", standings.tokens)):
            if standing is not None:
                headers |= _standing(name, standing, scale)
        return headers


def _standing(name: str, standing: Standing, scale: float) -> dict[str, str]:
    return {
        f"x-ratelimit-limit-{name}": str(standing.limit),
        f"x-ratelimit-remaining-{name}": str(standing.remaining),
        f"x-ratelimit-reset-{name}": _span(standing.reset / scale),
    }


def _span(seconds: float) -> str:
    """A duration as OpenAI writes it: 12ms, 1.5s, 6m0s."""
    if seconds < 1:
        return f"{round(seconds * 1000)}ms"
    minutes, rest = divmod(seconds, 60)
    return f"{int(minutes)}m{rest:.3g}s" if minutes else f"{rest:.4g}s"
