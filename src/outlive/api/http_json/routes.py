"""Which RPC an HTTP method and a path mean, as the services' annotations say."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import temporalio.api.operatorservice.v1.service_pb2 as operatorservice
import temporalio.api.workflowservice.v1.service_pb2 as workflowservice
from google.api.annotations_pb2 import http
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from outlive.api.handlers import Handlers, Rpc


@dataclass(frozen=True, slots=True)
class Route:
    """One RPC behind one method and one path."""

    rpc: Rpc
    response: type[Message]
    variables: tuple[str, ...]  # field paths that the path's variables fill, in order
    body: bool  # the body is the message; without, query parameters are


@dataclass(frozen=True, slots=True)
class Match:
    """A path that means something: by method, and the text of its variables."""

    routes: dict[str, Route]
    values: tuple[str, ...]


@dataclass(slots=True)
class _Node:
    literals: dict[str, _Node] = field(default_factory=dict)
    variable: _Node | None = None
    routes: dict[str, Route] = field(default_factory=dict)


class Routes:
    """The whole table, as a tree of path segments."""

    def __init__(self, handlers: Handlers) -> None:
        self._root = _Node()
        for module in (workflowservice, operatorservice):
            for service in module.DESCRIPTOR.services_by_name.values():
                for method in service.methods:
                    rpc = handlers[f"/{service.full_name}/{method.name}"]
                    for verb, path, body in _rules(method):
                        self._add(verb, path, body, rpc, GetMessageClass(method.output_type))

    def _add(self, verb: str, path: str, body: bool, rpc: Rpc, response: type[Message]) -> None:
        node = self._root
        variables = []
        for segment in path.strip("/").split("/"):
            if segment.startswith("{"):
                variables.append(segment.strip("{}"))
                node.variable = node.variable or _Node()
                node = node.variable
            else:
                node = node.literals.setdefault(segment, _Node())
        node.routes[verb] = Route(rpc, response, tuple(variables), body)

    def match(self, segments: list[str]) -> Match | None:
        """What the decoded segments of a path mean. A literal segment goes before a variable one."""
        return _match(self._root, segments, 0, ())


def _match(node: _Node, segments: list[str], at: int, values: tuple[str, ...]) -> Match | None:
    if at == len(segments):
        return Match(node.routes, values) if node.routes else None
    segment = segments[at]
    literal = node.literals.get(segment)
    found = _match(literal, segments, at + 1, values) if literal is not None else None
    if found is None and node.variable is not None and segment:
        found = _match(node.variable, segments, at + 1, (*values, segment))
    return found


def _rules(method: MethodDescriptor) -> Iterator[tuple[str, str, bool]]:
    """(HTTP method, path template, whether the body is the message) of an RPC's annotations."""
    rule = method.GetOptions().Extensions[http]
    for each in (rule, *rule.additional_bindings):
        verb = each.WhichOneof("pattern")
        if verb is not None:
            yield verb.upper(), getattr(each, verb), each.body == "*"
