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
from outlive.api.validation.common import IN_USE, check_namespace_name, check_state
from outlive.core.visibility import PREDEFINED_ATTRIBUTES, SYSTEM_ATTRIBUTES
from outlive.engine.calls import Call
from outlive.engine.namespaces import Namespace, Namespaces
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
        self._check(request)
        for attribute, kind in request.search_attributes.items():
            if kind not in IndexedValueType.values() or not kind:
                raise InvalidArgument(f"Unknown search attribute type of {attribute}: {kind}.")
        self._namespaces.add_attributes(request.namespace, dict(request.search_attributes))
        await self._namespaces.committed()
        return AddSearchAttributesResponse()

    async def _remove(self, request: Any, call: Call) -> Answer:
        self._check(request)
        self._namespaces.remove_attributes(request.namespace, list(request.search_attributes))
        await self._namespaces.committed()
        return RemoveSearchAttributesResponse()

    async def _list(self, request: Any, call: Call) -> Answer:
        namespace = self._usable(request)
        return ListSearchAttributesResponse(
            custom_attributes=dict(namespace.custom_attributes),
            system_attributes={**SYSTEM_ATTRIBUTES, **PREDEFINED_ATTRIBUTES},
        )

    def _check(self, request: Any) -> None:
        if not request.search_attributes:
            raise InvalidArgument("SearchAttributes are not set on request.")
        self._usable(request)

    def _usable(self, request: Any) -> Namespace:
        check_namespace_name(request.namespace, "Namespace is not set on request.")
        namespace = self._namespaces.get(request.namespace)
        check_state(namespace, IN_USE)
        return namespace
