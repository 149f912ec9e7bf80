"""Namespaces: loaded from the store, kept in memory, written through."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from temporalio.api.enums.v1 import IndexedValueType, NamespaceState
from temporalio.api.errordetails.v1 import NamespaceAlreadyExistsFailure

from outlive.core.visibility import PREDEFINED_ATTRIBUTES, SYSTEM_ATTRIBUTES, TYPE_NAMES, AttributeTypes
from outlive.dynamic.config import DynamicConfig
from outlive.dynamic.limits import execution_limits
from outlive.errors import AlreadyExists, InvalidArgument, NamespaceNotFound
from outlive.limits import RETENTION_DEFAULT, ExecutionLimits
from outlive.store.port import NamespaceRow, Storage, Writer

REGISTERED: Final = NamespaceState.NAMESPACE_STATE_REGISTERED
DELETED: Final = NamespaceState.NAMESPACE_STATE_DELETED
SYSTEM_NAMESPACE: Final = "temporal-system"  # clients hide it, so nobody would see what is in it
_RESERVED_PREFIX: Final = "Temporal"  # of search attributes that the server sets
TYPES_BY_NAME: Final[Mapping[str, IndexedValueType.ValueType]] = {
    name: IndexedValueType.ValueType(number) for number, name in TYPE_NAMES.items()
}


@dataclass(frozen=True, slots=True)
class Namespace:
    """A namespace as it is now."""

    id: str
    name: str
    state: int = REGISTERED
    description: str = ""
    owner_email: str = ""
    retention: int = RETENTION_DEFAULT  # nanoseconds
    data: Mapping[str, str] = field(default_factory=dict)  # the owner's own
    custom_attributes: AttributeTypes = field(default_factory=dict)
    attribute_types: AttributeTypes = field(default_factory=dict)  # system, predefined and custom
    limits: ExecutionLimits = field(default_factory=ExecutionLimits)
    delete_at: int = 0  # it was deleted, and its row goes then
    retention_changed: bool = False  # and closed runs are still kept for as long as it was before


class Namespaces:
    """The namespaces by name and by id."""

    def __init__(
        self, storage: Storage, writer: Writer, new_id: Callable[[], str], config: DynamicConfig | None = None
    ) -> None:
        self._writer = writer
        self.new_id = new_id
        self._config = config or DynamicConfig()
        self._by_name: dict[str, Namespace] = {}
        self._by_id: dict[str, Namespace] = {}
        for row in storage.namespaces():
            self._keep(self._from_row(row))

    def _from_row(self, row: NamespaceRow) -> Namespace:
        custom = {name: TYPES_BY_NAME[kind] for name, kind in json.loads(row.search_attributes).items()}
        extra = json.loads(row.extra)
        return self._completed(
            Namespace(
                id=row.namespace_id,
                name=row.name,
                state=row.state,
                description=row.description,
                owner_email=row.owner_email,
                retention=row.retention,
                data=json.loads(row.data),
                custom_attributes=custom,
                delete_at=extra.get("deleteAt", 0),
                retention_changed=extra.get("retentionChanged", False),
            )
        )

    def _completed(self, namespace: Namespace) -> Namespace:
        types = {**SYSTEM_ATTRIBUTES, **PREDEFINED_ATTRIBUTES, **namespace.custom_attributes}
        return replace(namespace, attribute_types=types, limits=execution_limits(self._config, namespace.name))

    def refresh(self) -> None:
        """Take the limits from the dynamic configuration again."""
        for namespace in list(self._by_name.values()):
            self._keep(self._completed(namespace))

    def _keep(self, namespace: Namespace) -> None:
        self._by_name[namespace.name] = namespace
        self._by_id[namespace.id] = namespace

    # -- reading

    def get(self, name: str) -> Namespace:
        """By name. Raises NamespaceNotFound."""
        namespace = self._by_name.get(name)
        if namespace is None:
            raise NamespaceNotFound(name)
        return namespace

    def by_id(self, namespace_id: str) -> Namespace:
        """By id. Raises NamespaceNotFound."""
        namespace = self._by_id.get(namespace_id)
        if namespace is None:
            raise NamespaceNotFound(namespace_id)
        return namespace

    def id_of(self, name: str) -> str:
        """The id of the named one. Raises NamespaceNotFound."""
        return self.get(name).id

    def is_in_use(self, namespace_id: str) -> bool:
        """Whether there is such a namespace, and it is not deleted."""
        namespace = self._by_id.get(namespace_id)
        return namespace is not None and namespace.state != DELETED

    def all(self) -> list[Namespace]:
        """Every namespace, by name."""
        return [self._by_name[name] for name in sorted(self._by_name)]

    # -- writing

    def put(self, namespace: Namespace) -> Namespace:
        """Keep a new or changed namespace; `committed` waits until it is durable."""
        namespace = self._completed(namespace)
        self._keep(namespace)
        self._writer.put_namespace(
            NamespaceRow(
                namespace_id=namespace.id,
                name=namespace.name,
                state=namespace.state,
                description=namespace.description,
                owner_email=namespace.owner_email,
                retention=namespace.retention,
                data=json.dumps(dict(namespace.data)),
                search_attributes=json.dumps({n: TYPE_NAMES[k] for n, k in namespace.custom_attributes.items()}),
                extra=json.dumps(_extra(namespace)),
            )
        )
        return namespace

    def rename(self, old: Namespace, new: Namespace) -> Namespace:
        """Keep the namespace under another name; `committed` waits until that is durable."""
        del self._by_name[old.name]
        return self.put(new)

    def remove(self, namespace_id: str) -> None:
        """Forget the namespace, of which nothing else may be left; `committed` waits until that is durable."""
        namespace = self._by_id.pop(namespace_id)
        del self._by_name[namespace.name]
        self._writer.delete_namespace(namespace_id)

    async def committed(self) -> None:
        await self._writer.flush()

    def register(self, namespace: Namespace) -> Namespace:
        """Add one. Raises AlreadyExists, also for the name that the protocol keeps for the server's own."""
        if namespace.name in self._by_name or namespace.name == SYSTEM_NAMESPACE:
            raise AlreadyExists(f'Namespace "{namespace.name}" already exists', NamespaceAlreadyExistsFailure())
        return self.put(namespace)

    def ensure(self, name: str, custom: AttributeTypes) -> Namespace:
        """The named one, made if need be, with at least these search attributes."""
        namespace = self._by_name.get(name) or Namespace(self.new_id(), name)
        return self.put(replace(namespace, custom_attributes={**namespace.custom_attributes, **custom}))

    def add_attributes(self, name: str, new: AttributeTypes) -> Namespace:
        """Add custom search attributes; one that is there is given the new type. Raises InvalidArgument for
        a name that the server keeps for itself.
        """
        namespace = self.get(name)
        for attribute in new:
            if _is_reserved(attribute):
                raise InvalidArgument(f"Search attribute {attribute} is reserved by system.")
        return self.put(replace(namespace, custom_attributes={**namespace.custom_attributes, **new}))

    def remove_attributes(self, name: str, names: list[str]) -> Namespace:
        """Remove custom search attributes; those that are not there are passed over. Raises InvalidArgument
        for one of the server's own.
        """
        namespace = self.get(name)
        for attribute in names:
            if attribute in SYSTEM_ATTRIBUTES or attribute in PREDEFINED_ATTRIBUTES:
                raise InvalidArgument(f"Unable to remove non-custom search attributes: {attribute}.")
        kept = {n: k for n, k in namespace.custom_attributes.items() if n not in names}
        return self.put(replace(namespace, custom_attributes=kept))


def _extra(namespace: Namespace) -> dict[str, int | bool]:
    """What few namespaces have, as the row keeps it."""
    extra: dict[str, int | bool] = {}
    if namespace.delete_at:
        extra["deleteAt"] = namespace.delete_at
    if namespace.retention_changed:
        extra["retentionChanged"] = True
    return extra


def _is_reserved(attribute: str) -> bool:
    known = attribute in SYSTEM_ATTRIBUTES or attribute in PREDEFINED_ATTRIBUTES
    return known or attribute.startswith(_RESERVED_PREFIX)
