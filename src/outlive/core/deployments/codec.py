"""How a worker deployment is kept: JSON, with bytes as base64. A field that is not there has its default."""

from __future__ import annotations

import base64
import json
from dataclasses import asdict, fields
from types import MappingProxyType
from typing import Any

from outlive.core.deployments.state import Deployment, Queue, Routing, Version


def encode(deployment: Deployment) -> bytes:
    """The whole deployment."""
    data = {field.name: getattr(deployment, field.name) for field in fields(deployment)}
    data["routing"] = asdict(deployment.routing)
    data["versions"] = [_version_dict(version) for version in deployment.versions.values()]
    return json.dumps(data, separators=(",", ":")).encode()


def _version_dict(version: Version) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for field in fields(version):
        value = getattr(version, field.name)
        result[field.name] = base64.b64encode(value).decode() if isinstance(value, bytes) else value
    return result


def decode(data: bytes) -> Deployment:
    """What `encode` wrote, also what an older version of it did."""
    values: dict[str, Any] = json.loads(data)
    versions = [_version(each) for each in values.pop("versions")]
    routing = Routing(**_known(Routing, values.pop("routing")))
    by_build = MappingProxyType({version.build_id: version for version in versions})
    return Deployment(**_known(Deployment, values), routing=routing, versions=by_build)


def _version(values: dict[str, Any]) -> Version:
    values = _known(Version, values)
    values["metadata"] = base64.b64decode(values.get("metadata", ""))
    values["queues"] = tuple(Queue(name, kind) for name, kind in values.get("queues", ()))
    return Version(**values)


def _known(row: type[Any], values: dict[str, Any]) -> dict[str, Any]:
    names = {field.name for field in fields(row)}
    return {name: value for name, value in values.items() if name in names}
