"""The search attributes that say which worker versions a run has to do with.

BuildIds holds what the run is now first (`unversioned`, or `pinned:deployment:build`), then the builds that
its tasks were completed by. The deployment attributes show the override where there is one, never a transition.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Final

from temporalio.api.common.v1 import Payload, SearchAttributes, WorkerVersionStamp

from outlive.core import versioning
from outlive.core.commands.properties import set_search_attributes
from outlive.core.state import State
from outlive.core.version_names import VersionName
from outlive.core.versioning import AUTO_UPGRADE, PINNED, UNSPECIFIED, VersioningInfo
from outlive.limits import SEARCH_ATTRIBUTE_VALUE_MAX

BUILD_IDS: Final = "BuildIds"
DEPLOYMENT: Final = "TemporalWorkerDeployment"
VERSION: Final = "TemporalWorkerDeploymentVersion"
BEHAVIOR: Final = "TemporalWorkflowVersioningBehavior"
USED: Final = "TemporalUsedWorkerDeploymentVersions"
_UNVERSIONED: Final = "unversioned"
_SHOWN: Final = {UNSPECIFIED: "", PINNED: "Pinned", AUTO_UPGRADE: "AutoUpgrade"}


def keyword(value: str) -> Payload:
    """A search attribute value of type Keyword; one that unsets it for an empty text."""
    if not value:
        return Payload(metadata={"encoding": b"json/plain"}, data=b"null")
    return Payload(metadata={"encoding": b"json/plain", "type": b"Keyword"}, data=json.dumps(value).encode())


def keyword_list(values: Sequence[str]) -> Payload:
    """A search attribute value of type KeywordList."""
    data = json.dumps(list(values), separators=(",", ":")).encode()
    return Payload(metadata={"encoding": b"json/plain", "type": b"KeywordList"}, data=data)


def note(state: State, stamp: WorkerVersionStamp | None = None, used: VersionName | None = None) -> None:
    """Bring the attributes up to date. `stamp` and `used`: of the worker that just completed a task."""
    info = versioning.info_of(state) or VersioningInfo()
    known = SearchAttributes.FromString(state.attributes.search_attributes or b"").indexed_fields
    changes = SearchAttributes()
    builds = _list(known, BUILD_IDS)
    wanted = _builds(builds, info, stamp)
    if wanted != builds:
        changes.indexed_fields[BUILD_IDS].CopyFrom(_fitting(wanted))
    before = _list(known, USED)
    if used is not None and str(used) not in before:
        changes.indexed_fields[USED].CopyFrom(_fitting([*before, str(used)]))
    version = versioning.lasting_version(info)
    shown = {
        DEPLOYMENT: version.deployment if version is not None else state.info.deployment_name,
        VERSION: str(version) if version is not None else "",
        BEHAVIOR: _SHOWN[versioning.lasting_behavior(info)],
    }
    for name, value in shown.items():
        if value != _text(known, name):
            changes.indexed_fields[name].CopyFrom(keyword(value))
    if changes.indexed_fields:
        set_search_attributes(state, changes)


def _list(known: Mapping[str, Payload], name: str) -> list[str]:
    return list(json.loads(known[name].data)) if name in known else []


def _text(known: Mapping[str, Payload], name: str) -> str:
    return str(json.loads(known[name].data)) if name in known else ""


def _builds(before: Sequence[str], info: VersioningInfo, stamp: WorkerVersionStamp | None) -> list[str]:
    behavior = versioning.lasting_behavior(info)
    version = versioning.lasting_version(info)
    result = []
    if behavior == UNSPECIFIED:
        result.append(_UNVERSIONED)
    elif behavior == PINNED and version is not None:
        result.append(f"pinned:{version}")
    result += [build for build in before if build != _UNVERSIONED and not build.startswith("pinned:")]
    build = f"{_UNVERSIONED}:{stamp.build_id}" if stamp is not None and stamp.build_id else ""
    if build and build not in result:
        result.append(build)
    return result


def _fitting(values: list[str]) -> Payload:
    """As many of them as one attribute holds; the first stays, then the oldest go."""
    payload = keyword_list(values)
    while len(values) > 1 and len(payload.data) > SEARCH_ATTRIBUTE_VALUE_MAX:
        values = [values[0], *values[2:]]
        payload = keyword_list(values)
    return payload
