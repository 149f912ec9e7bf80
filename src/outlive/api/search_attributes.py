"""RPCs about the search attributes of a namespace."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.operatorservice.v1 import (
    AddSearchAttributesResponse,
    ListSearchAttributesResponse,
    RemoveSearchAttributesResponse,
)

from outlive.api.handlers import Answer, Method
from outlive.api.validation.common import check_namespace_name
from outlive.core.visibility import PREDEFINED_ATTRIBUTES, SYSTEM_ATTRIBUTES
from outlive.engine.calls import Call
from outlive.engine.namespaces import Namespaces
from outlive.errors import InvalidArgument


class SearchAttributeRpcs:
    """Add, remove, list. There may be as many of a type as one wants: no column is set aside for each."""

    def __init__(self, namespaces: Namespaces) -> None:
        self._namespaces = namespaces

    def methods(self) -> Mapping[str, Method]:
        return {
            "AddSearchAttributes": self._add,
            "RemoveSearchAttributes": self._remove,
            "ListSearchAttributes": self._list,
        }

    async def _add(self, request: Any, call: Call) -> Answer:
        _check(request)
        for attribute, kind in request.search_attributes.items():
            if kind not in IndexedValueType.values() or not kind:
                raise InvalidArgument(f"Unknown search attribute type of {attribute}: {kind}.")
        self._namespaces.add_attributes(request.namespace, dict(request.search_attributes))
        await self._namespaces.committed()
        return AddSearchAttributesResponse()

    async def _remove(self, request: Any, call: Call) -> Answer:
        _check(request)
        self._namespaces.remove_attributes(request.namespace, list(request.search_attributes))
        await self._namespaces.committed()
        return RemoveSearchAttributesResponse()

    async def _list(self, request: Any, call: Call) -> Answer:
        _check_namespace(request)
        namespace = self._namespaces.get(request.namespace)
        return ListSearchAttributesResponse(
            custom_attributes=dict(namespace.custom_attributes),
            system_attributes={**SYSTEM_ATTRIBUTES, **PREDEFINED_ATTRIBUTES},
        )


def _check(request: Any) -> None:
    if not request.search_attributes:
        raise InvalidArgument("SearchAttributes are not set on request.")
    _check_namespace(request)


def _check_namespace(request: Any) -> None:
    check_namespace_name(request.namespace, "Namespace is not set on request.")
