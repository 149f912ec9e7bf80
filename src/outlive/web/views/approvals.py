"""Questions to people: the inbox, and one question with its form."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from outlive.ledger.interface import Ledger
from outlive.ledger.types import Approval
from outlive.web import bounds
from outlive.web.forms import FieldProblems, Form
from outlive.web.views import shapes
from outlive.web.views.shapes import Shape

PREFIX = "edit."


@dataclass(frozen=True, slots=True)
class Field:
    """One thing that the person may change. ``kind`` is text, number, flag, choice or json."""

    name: str
    label: str
    kind: str
    value: str
    hint: str = ""
    choices: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class ApprovalRow:
    """One question of the inbox."""

    id: str
    title: str
    state: str
    workflow_id: str
    run_id: str
    assignee: str
    asked: datetime | None
    deadline: datetime | None
    decided: datetime | None
    decided_by: str
    choice: str
    reason: str


@dataclass(frozen=True, slots=True)
class ApprovalsView:
    """The inbox: what is open, what is due first on top; then what was decided lately."""

    namespace: str
    open: list[ApprovalRow]
    closed: list[ApprovalRow]


@dataclass(frozen=True, slots=True)
class ApprovalView:
    """One question. ``details`` is what the asker shows, as text and as what it is."""

    namespace: str
    row: ApprovalRow
    details: str
    shape: Shape | None
    options: list[str]
    fields: list[Field]
    edits: str


async def load(ledger: Ledger, namespace: str) -> ApprovalsView:
    """Ask the ledger. Raises LedgerError."""
    found = await ledger.approvals(namespace=namespace)
    rows = [row(one) for one in found]
    waiting = [one for one in rows if one.state == "open"]
    rest = [one for one in rows if one.state != "open"]
    late = datetime.max.replace(tzinfo=UTC)
    waiting.sort(key=lambda one: (one.deadline or late, one.asked or late))
    rest.sort(key=lambda one: one.decided or one.asked or late, reverse=True)
    return ApprovalsView(namespace, waiting, rest[: bounds.APPROVALS_CLOSED])


async def one(ledger: Ledger, namespace: str, approval_id: str) -> ApprovalView:
    """One question. Raises LedgerError."""
    found = await ledger.approval(approval_id)
    return ApprovalView(
        namespace=namespace,
        row=row(found),
        details=_text(found.details),
        shape=Shape("markdown", markdown=found.details)
        if isinstance(found.details, str)
        else shapes.of_value(found.details),
        options=list(found.options),
        fields=fields(found),
        edits=_text(found.edits),
    )


def row(one: Approval) -> ApprovalRow:
    """The question as the inbox shows it."""
    return ApprovalRow(
        one.id,
        one.title,
        one.state,
        one.workflow_id,
        one.run,
        one.assignee,
        _moment(one.asked_at),
        _moment(one.deadline),
        _moment(one.decided_at),
        one.decided_by,
        one.choice,
        one.reason,
    )


def _moment(milliseconds: int) -> datetime | None:
    return datetime.fromtimestamp(milliseconds / 1000, UTC) if milliseconds else None


def _text(value: Any) -> str:
    if value is None:
        return ""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=2)
    return text[: bounds.PREVIEW_RUN]


def fields(one: Approval) -> list[Field]:
    """The form: a field for each plain property of the schema; anything else is edited as JSON."""
    schema = one.schema if isinstance(one.schema, Mapping) else {}
    filled = one.form
    properties = schema.get("properties")
    if not isinstance(properties, Mapping) or (filled is not None and not isinstance(filled, Mapping)):
        return [Field("", "Answer", "json", _text(filled))] if one.schema or filled is not None else []
    values = dict(filled or {})
    return [
        _field(str(name), about if isinstance(about, Mapping) else {}, values.get(name))
        for name, about in properties.items()
    ]


def _field(name: str, about: Mapping[str, Any], value: Any) -> Field:
    label = str(about.get("title") or name)
    hint = str(about.get("description") or "")
    choices = about.get("enum")
    if value is None:
        value = about.get("default")
    if isinstance(choices, Sequence) and all(isinstance(choice, str) for choice in choices):
        return Field(name, label, "choice", str(value or ""), hint, list(choices))
    kind = {"string": "text", "integer": "number", "number": "number", "boolean": "flag"}.get(
        str(about.get("type")), "json"
    )
    if kind == "flag":
        return Field(name, label, kind, "1" if value else "", hint)
    return Field(name, label, kind, _text(value) if kind == "json" or value is None else str(value), hint)


def edits(approval: Approval, form: Form) -> Any:
    """What the person filled in, None where it is as it was. Raises FieldProblems."""
    asked = fields(approval)
    if not asked:
        return None
    if asked[0].name == "":
        found = _json(PREFIX, form.text(PREFIX))
        return None if found == approval.form else found
    before = dict(approval.form or {})
    changed = dict(before)
    for one in asked:
        key = PREFIX + one.name
        text = form.text(key)
        if one.kind == "flag":
            changed[one.name] = form.flag(key)
        elif one.kind == "number":
            changed[one.name] = _json(key, text) if text else None
            if isinstance(changed[one.name], str | list | dict | bool):
                raise FieldProblems({key: "A number."})
        elif one.kind == "json":
            changed[one.name] = _json(key, text) if text else None
        else:
            changed[one.name] = text
        if changed[one.name] is None and one.name not in before:
            del changed[one.name]
    return None if changed == before else changed


def _json(key: str, text: str) -> Any:
    try:
        return json.loads(text) if text else None
    except ValueError:
        raise FieldProblems(
            {key: 'Not JSON. Expected: a number, "text", true, false, null, a list or an object.'}
        ) from None
