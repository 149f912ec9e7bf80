"""Which form of JSON the caller wants, and which it sends."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Form:
    """A way to write JSON."""

    media_type: str
    indent: bool
    shorthand: bool  # payloads in their readable form


PLAIN: Final = Form("application/json", indent=False, shorthand=True)
FORMS: Final[Mapping[str, Form]] = {
    form.media_type: form
    for form in (
        PLAIN,
        Form("application/json+pretty", indent=True, shorthand=True),
        Form("application/json+no-payload-shorthand", indent=False, shorthand=False),
        Form("application/json+pretty+no-payload-shorthand", indent=True, shorthand=False),
    )
}


def sent(headers: Mapping[str, str]) -> Form:
    """The form of the body; the plain one where the content type says nothing of it."""
    return _named(headers.get("content-type", "")) or PLAIN


def wanted(headers: Mapping[str, str], parameters: Mapping[str, Sequence[str]]) -> Form:
    """The form of the answer: as query parameters say, else as `Accept` does, else as the body came."""
    indent, spelled = "pretty" in parameters, "noPayloadShorthand" in parameters
    if indent or spelled:
        suffix = ("+pretty" if indent else "") + ("+no-payload-shorthand" if spelled else "")
        return FORMS[f"application/json{suffix}"]
    for each in headers.get("accept", "").split(","):
        form = _named(each)
        if form is not None:
            return form
    return sent(headers)


def _named(text: str) -> Form | None:
    return FORMS.get(text.partition(";")[0].strip().lower())
