"""Questions to people: the record of what was asked, who answered, when, and with which edits.

    open --decide--> approved | rejected      open --deadline--> expired      open --cancel--> cancelled
      |
      +--escalate_at--> open, with another assignee

A decision is taken once. The same decision by the same person again is no fault; another one is a conflict.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Callable
from dataclasses import replace

from outlive.clock import Clock
from outlive.ledger.errors import BadRequest, Conflict, NotFound, Unauthorized
from outlive.ledger.store.port import Database
from outlive.ledger.types import Approval, ApprovalState, Decision, Signed
from outlive.ledger.wire import dump, load
from outlive.limits import APPROVAL_FORM_MAX, LEDGER_WAIT_MAX, MS, SECOND

_PUT = (
    "INSERT INTO approval VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET state = excluded.state,"
    " assignee = excluded.assignee, data = excluded.data"
)
_LISTED_MAX = 1_000  # approvals of one list
LINKS_AT = "/v1/decisions/"


class Approvals:
    """The inbox. `make_key` makes the key that links are signed with, once for each database."""

    def __init__(self, database: Database, clock: Clock, make_key: Callable[[], bytes]) -> None:
        self._database = database
        self._clock = clock
        self._make_key = make_key
        self._key = b""
        self._known: dict[str, Approval] = {}  # all that are open, and what was decided since the start
        self._waiters: dict[str, set[asyncio.Future[None]]] = {}
        self._timer: asyncio.TimerHandle | None = None

    async def begin(self) -> None:
        """Take up what is open."""
        rows = await self._database.scan("SELECT value FROM setting WHERE name = 'signing_key'")
        self._key = bytes.fromhex(rows[0][0]) if rows else self._make_key()
        if not rows:
            self._database.write("INSERT INTO setting VALUES ('signing_key', ?)", (self._key.hex(),))
        for (data,) in await self._database.scan("SELECT data FROM approval WHERE state = 'open'"):
            approval = load(Approval, json.loads(data))
            self._known[approval.id] = approval
        self._tick()

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    # -- asking

    async def ask_approval(self, approval: Approval) -> Approval:
        _check(approval)
        there = await self._find(approval.id)
        if there is not None:
            return there
        asked = replace(
            approval, state="open", choice="", decided_by="", decided_at=0, reason="", edits=None, escalated=False,
            asked_at=self._clock.now() // MS,
        )  # fmt: skip
        self._keep(asked)
        self._arm()
        await self._database.committed()
        return asked

    async def approval(self, approval_id: str, *, wait: float = 0.0) -> Approval:
        found = await self._found(approval_id)
        if found.state == "open" and wait > 0:
            woken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            waiting = self._waiters.setdefault(approval_id, set())
            waiting.add(woken)
            try:
                await asyncio.wait({woken}, timeout=min(wait, LEDGER_WAIT_MAX / SECOND))
            finally:
                waiting.discard(woken)
                if not waiting:
                    self._waiters.pop(approval_id, None)
            found = await self._found(approval_id)
            await self._database.committed()
        return found

    async def approvals(
        self, *, namespace: str = "", state: ApprovalState | None = None, assignee: str = ""
    ) -> list[Approval]:
        parts, values = ["1 = 1"], []
        for name, value in (("namespace", namespace), ("state", state), ("assignee", assignee)):
            if value:
                parts.append(f"{name} = ?")
                values.append(value)
        rows = await self._database.scan(
            f"SELECT data FROM approval WHERE {' AND '.join(parts)} ORDER BY asked_at DESC, id LIMIT {_LISTED_MAX}",
            values,
        )
        return [load(Approval, json.loads(data)) for (data,) in rows]

    # -- answering

    async def decide(self, approval_id: str, decision: Decision) -> Approval:
        approval = await self._found(approval_id)
        if decision.choice not in approval.options:
            raise BadRequest(f"{decision.choice!r} is none of {', '.join(map(repr, approval.options))}.")
        if not decision.by:
            raise BadRequest("a decision needs the name of who takes it.")
        if approval.state != "open":
            if (approval.choice, approval.decided_by) == (decision.choice, decision.by):
                return approval
            raise _closed(approval)
        rejects = len(approval.options) > 1 and decision.choice == approval.options[-1]
        decided = replace(
            approval,
            state="rejected" if rejects else "approved",
            choice=decision.choice,
            decided_by=decision.by,
            decided_at=self._clock.now() // MS,
            reason=decision.reason,
            edits=decision.edits,
        )
        return await self._end(decided)

    async def cancel_approval(self, approval_id: str, *, reason: str = "") -> Approval:
        approval = await self._found(approval_id)
        if approval.state == "cancelled":
            return approval
        if approval.state != "open":
            raise _closed(approval)
        return await self._end(replace(approval, state="cancelled", decided_at=self._clock.now() // MS, reason=reason))

    async def _end(self, approval: Approval) -> Approval:
        self._keep(approval)
        await self._database.committed()
        return approval

    # -- links

    async def sign(self, approval_id: str, choice: str, *, by: str, ttl: float = 604_800.0) -> Signed:
        approval = await self._found(approval_id)
        if choice not in approval.options:
            raise BadRequest(f"{choice!r} is none of {', '.join(map(repr, approval.options))}.")
        if not by or ttl <= 0:
            raise BadRequest("a link needs the name of whom it is for, and a time to live above 0 seconds.")
        expires_at = self._clock.now() // MS + round(ttl * 1000)
        said = json.dumps([approval_id, choice, by, expires_at], separators=(",", ":")).encode()
        return Signed(f"{LINKS_AT}{_encoded(said)}.{_encoded(self._seal(said))}", expires_at)

    async def opened(self, token: str) -> tuple[Approval, str, str]:
        """The approval, choice and person of a link. Raises Unauthorized for one that is not ours, or too old."""
        try:
            said_text, _, seal_text = token.partition(".")
            said, seal = _decoded(said_text), _decoded(seal_text)
        except (ValueError, binascii.Error):
            raise Unauthorized("this link is damaged: open it as it was sent.") from None
        if not hmac.compare_digest(seal, self._seal(said)):
            raise Unauthorized("this link is not signed by this ledger: open it as it was sent.")
        approval_id, choice, by, expires_at = json.loads(said)
        if expires_at <= self._clock.now() // MS:
            raise Unauthorized("this link has run out: ask for another.")
        return await self._found(approval_id), choice, by

    def _seal(self, said: bytes) -> bytes:
        return hmac.new(self._key, b"decision\0" + said, hashlib.sha256).digest()

    # -- time

    def _arm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        moments = [moment for approval in self._known.values() for moment in _moments(approval)]
        if moments:
            wait = min(max(min(moments) - self._clock.now() // MS, 1), 3_600_000)
            self._timer = asyncio.get_running_loop().call_later(wait / 1000, self._tick)

    def _tick(self) -> None:
        """Escalate and expire what is due."""
        self._timer = None
        now = self._clock.now() // MS
        for approval in list(self._known.values()):
            if approval.state != "open":
                continue
            if approval.deadline and approval.deadline <= now:
                self._keep(replace(approval, state="expired", decided_at=now))
            elif approval.escalate_at and approval.escalate_at <= now and not approval.escalated:
                to = approval.escalate_to or approval.assignee
                self._keep(replace(approval, escalated=True, assignee=to))
        self._arm()

    # -- keeping

    async def _find(self, approval_id: str) -> Approval | None:
        known = self._known.get(approval_id)
        if known is not None:
            return known
        rows = await self._database.read("SELECT data FROM approval WHERE id = ?", (approval_id,))
        return self._known.get(approval_id) or (load(Approval, json.loads(rows[0][0])) if rows else None)

    async def _found(self, approval_id: str) -> Approval:
        found = await self._find(approval_id)
        if found is None:
            raise NotFound(f"there is no approval {approval_id}: `outlive approval list` shows those that are.")
        return found

    def _keep(self, approval: Approval) -> None:
        self._known[approval.id] = approval
        data = json.dumps(dump(approval), separators=(",", ":"))
        written = self._database.write(
            _PUT,
            (approval.id, approval.namespace, approval.state, approval.assignee, approval.asked_at, data),
        )
        if approval.state != "open":
            written.add_done_callback(lambda _: self._known.pop(approval.id, None))
            for woken in self._waiters.get(approval.id, ()):
                if not woken.done():
                    woken.set_result(None)


def _moments(approval: Approval) -> list[int]:
    if approval.state != "open":
        return []
    moments = [approval.deadline] if approval.deadline else []
    return [*moments, approval.escalate_at] if approval.escalate_at and not approval.escalated else moments


def _check(approval: Approval) -> None:
    if not approval.id or len(approval.id) > 1000:
        raise BadRequest("an approval needs an id of 1 to 1000 characters.")
    if not approval.title:
        raise BadRequest("an approval needs a title.")
    if not approval.options or len(set(approval.options)) != len(approval.options):
        raise BadRequest("an approval needs options, each another.")
    size = len(json.dumps([approval.details, approval.schema, approval.form]))
    if size > APPROVAL_FORM_MAX:
        raise BadRequest(f"details, schema and form are {size} bytes, more than the {APPROVAL_FORM_MAX} that are kept.")


def _closed(approval: Approval) -> Conflict:
    by = f" by {approval.decided_by}" if approval.decided_by else ""
    return Conflict(
        f"approval {approval.id} is {approval.state} already{by}.", state=approval.state, by=approval.decided_by
    )


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
