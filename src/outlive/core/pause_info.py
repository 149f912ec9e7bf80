"""TemporalPauseInfo: the search attribute that says what of a run is paused, the run or activities of a type."""

from __future__ import annotations

import json

from temporalio.api.common.v1 import Payload, SearchAttributes

from outlive.core.commands.properties import set_search_attributes
from outlive.core.state import PAUSED, State
from outlive.core.version_attributes import keyword_list
from outlive.limits import SEARCH_ATTRIBUTE_VALUE_MAX

PAUSE_INFO = "TemporalPauseInfo"
_NULL = Payload(metadata={"encoding": b"json/plain"}, data=b"null")


def note(state: State) -> None:
    """Bring the attribute up to date. As many of the types as one attribute holds."""
    info = state.info
    words = []
    if info.status == PAUSED:
        words.append(f"Workflow:{state.start.workflow_id}")
        if info.pause_reason:
            words.append(f"Reason:{info.pause_reason}")
    types = sorted({row.activity_type for row in state.activities if row.paused_at})
    words += [f"property:activityType={name}" for name in types]
    known = SearchAttributes.FromString(state.attributes.search_attributes or b"").indexed_fields
    before = json.loads(known[PAUSE_INFO].data) if PAUSE_INFO in known else []
    payload = keyword_list(words)
    while words and len(payload.data) > SEARCH_ATTRIBUTE_VALUE_MAX:
        words.pop()
        payload = keyword_list(words)
    if words != before:
        changes = SearchAttributes()
        changes.indexed_fields[PAUSE_INFO].CopyFrom(payload if words else _NULL)
        set_search_attributes(state, changes)
