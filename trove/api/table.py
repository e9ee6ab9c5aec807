# SPDX-License-Identifier: Apache-2.0
"""The route table: every declared path as a tree of segments, compiled once.

A literal segment wins over a parameter; both are tried, so that ``datastores/versions``
and ``datastores/{id}`` stand side by side. Looking a path up costs one step a segment.
"""

import dataclasses
from collections.abc import Iterable, Mapping

from trove import errors
from trove.api import faults
from trove.api.resource import Op, Resource


@dataclasses.dataclass(frozen=True, slots=True)
class Route:
    """One op at its place: what a request is answered by."""

    resource: Resource
    op: Op
    names: tuple[str, ...]
    path: str

    @property
    def shown(self) -> str:
        """``GET /v1.0/{tenant}/instances``, for people."""
        return f"{self.op.method} /v1.0/{{tenant}}/{self.path}"


TENANT = "tenant"


class _Node:
    """One segment's place in the tree."""

    __slots__ = ("literal", "parameter", "routes")

    def __init__(self) -> None:
        self.literal: dict[str, _Node] = {}
        self.parameter: _Node | None = None
        self.routes: dict[str, Route] = {}


class Table:
    """All the routes below ``/v1.0/{tenant}``."""

    def __init__(self, resources: Iterable[Resource]) -> None:
        self.resources = tuple(resources)
        self.routes: list[Route] = []
        self._root = _Node()
        for resource in self.resources:
            for op in resource.ops:
                self._add(resource, op)

    def _add(self, resource: Resource, op: Op) -> None:
        path = resource.full_path(op)
        node, names = self._root, [TENANT]
        for segment in path.split("/"):
            if segment.startswith("{"):
                names.append(segment.strip("{}"))
                node.parameter = node.parameter or _Node()
                node = node.parameter
            else:
                node = node.literal.setdefault(segment, _Node())
        if op.method in node.routes:
            raise ValueError(f"{op.method} {path} is declared twice")
        route = Route(resource, op, tuple(names), path)
        node.routes[op.method] = route
        self.routes.append(route)

    def find(self, method: str, path: list[str]) -> tuple[Route, Mapping[str, str]]:
        """The route of a path below the tenant, and the ids in it (tenant's first).

        Raises ``errors.NotFound`` and ``faults.MethodNotAllowed``.
        """
        wanted = "GET" if method == "HEAD" else method
        allowed: set[str] = set()
        todo: list[tuple[_Node, int, tuple[str, ...]]] = [(self._root, 1, (path[0],))]
        while todo:
            node, at, values = todo.pop()
            if at == len(path):
                if route := node.routes.get(wanted):
                    return route, dict(zip(route.names, values, strict=True))
                allowed.update(node.routes)
                continue
            segment = path[at]
            if node.parameter is not None and segment:
                todo.append((node.parameter, at + 1, (*values, segment)))
            if segment in node.literal:
                # looked at first: it is on top
                todo.append((node.literal[segment], at + 1, values))
        if not allowed:
            raise errors.NotFound("The resource could not be found.")
        if "GET" in allowed:
            allowed.add("HEAD")
        raise faults.MethodNotAllowed(method=method, allow=", ".join(sorted(allowed)))
