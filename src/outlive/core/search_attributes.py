"""Search attributes as requests and commands carry them: checked against what the namespace has."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from temporalio.api.common.v1 import SearchAttributes
from temporalio.api.enums.v1 import IndexedValueType

from outlive.core.visibility import SYSTEM_ATTRIBUTES, TYPE_NAMES, decode_attribute
from outlive.errors import InvalidArgument
from outlive.limits import SEARCH_ATTRIBUTE_KEYS_MAX, SEARCH_ATTRIBUTE_VALUE_MAX, SEARCH_ATTRIBUTES_TOTAL_MAX

_NOT_FOR_CLIENTS: Final = (frozenset(SYSTEM_ATTRIBUTES) - {"TemporalNamespaceDivision"}) | {
    "TemporalWorkerDeployment",
    "TemporalWorkerDeploymentVersion",
    "TemporalWorkflowVersioningBehavior",
    "TemporalUsedWorkerDeploymentVersions",
}


def validate(
    attributes: SearchAttributes, types: Mapping[str, IndexedValueType.ValueType], namespace: str
) -> SearchAttributes:
    """The attributes with their types noted on each value.

    Raises InvalidArgument for an unknown name, one that only the server sets, a value of another type, or
    one that is too large.
    """
    if len(attributes.indexed_fields) > SEARCH_ATTRIBUTE_KEYS_MAX:
        raise InvalidArgument(
            f"number of search attributes {len(attributes.indexed_fields)} exceeds limit {SEARCH_ATTRIBUTE_KEYS_MAX}"
        )
    result = SearchAttributes()
    total = 0
    for name, value in sorted(attributes.indexed_fields.items()):
        if name in _NOT_FOR_CLIENTS:
            raise InvalidArgument(f"{name} attribute can't be set in SearchAttributes")
        kind = types.get(name)
        if kind is None:
            raise InvalidArgument(f"Namespace {namespace} has no mapping defined for search attribute {name}")
        decode_attribute(name, kind, value)
        size = len(value.data)
        if size > SEARCH_ATTRIBUTE_VALUE_MAX:
            raise InvalidArgument(
                f"search attribute {name} value size {size} exceeds size limit {SEARCH_ATTRIBUTE_VALUE_MAX}"
            )
        total += len(name) + size
        kept = result.indexed_fields[name]
        kept.CopyFrom(value)
        kept.metadata["type"] = TYPE_NAMES[kind].encode()
    if total > SEARCH_ATTRIBUTES_TOTAL_MAX:
        raise InvalidArgument(
            f"total size of search attributes {total} exceeds size limit {SEARCH_ATTRIBUTES_TOTAL_MAX}"
        )
    return result
