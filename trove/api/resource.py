# SPDX-License-Identifier: Apache-2.0
"""Resource and Op: the vocabulary that every resource of the API is declared in.

A declaration says verb, path, who does it, who may, which body and which answer, once.
Routing and 405 (``router``), the policy's defaults (``policy``), the check of bodies
(``schemas``), JSON and XML (``wire``), the api-ref and the sample policy (``describe``)
are derived from it.

A handler is called with an ``Ask`` and returns what its view turns into plain values.
It sees no HTTP.
"""

import dataclasses
import typing
from collections.abc import Callable, Mapping

from trove.actions.services import Services
from trove.api.links import Links
from trove.api.queries import DRY, Queries, Query
from trove.context import Context

Plain = dict[str, typing.Any]
Schema = Mapping[str, typing.Any]

READER = "rule:reader"
MEMBER = "rule:member"
ADMIN = "rule:admin"
ANYONE = "@"

EMPTY: Plain = {"type": ["object", "null"]}
"""The body of an action that takes nothing; openstacksdk sends null."""


@dataclasses.dataclass(frozen=True, slots=True)
class Ask:
    """One request, as a handler sees it."""

    context: Context
    services: Services
    ids: Mapping[str, str]
    links: Links
    body: typing.Any = None
    query: Queries = dataclasses.field(default_factory=lambda: Queries({}))
    key: str | None = None
    """The caller's Idempotency-Key."""
    rates: Callable[[], list[Plain]] = list
    """The project's rate limits and what is left of them."""

    object_store: Callable[[], typing.Any] = lambda: None
    """Opens the object store of the caller's project, with his token."""

    networks: Callable[[], typing.Any] = lambda: None
    """Networks as the caller's token shows them (``cloud.protocol.Caller``)."""

    key_manager: Callable[[], typing.Any] = lambda: None
    """Opens the key manager of the caller's project, with his token."""

    @property
    def said(self) -> list[typing.Any]:
        """What an Idempotency-Key stands for: where, and what."""
        return [self.links.path, self.body]

    @property
    def project(self) -> str | None:
        """Whose things may be seen: the caller's own, or (None) everybody's."""
        return None if self.context.is_admin else self.context.project

    @property
    def owner(self) -> str:
        """The project of the path; the caller's own, the middleware made sure."""
        return self.ids["tenant"]


Deed = Callable[[Ask], typing.Any]
View = Callable[[Ask, typing.Any], Plain]


@dataclasses.dataclass(frozen=True, slots=True)
class Action:
    """One key of an action's body. ``when`` picks among several of the same key."""

    do: Deed
    rule: str
    body: Schema = dataclasses.field(default_factory=lambda: EMPTY)
    who: str = MEMBER
    when: str | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Op:
    """One verb on one path.

    ``path`` is relative to the resource's. ``rule`` is the policy's name and ``who``
    its default. ``body`` is the schema of what is under ``root`` (None: the resource's
    name; "": the body itself). ``wrap`` likewise for the answer. ``many`` says that
    the answer is a list, or a ``paging.Page`` of one. ``one`` is another root, under
    which a single item of a body that is a list may be sent. ``optional``: there may be
    no body.
    """

    method: str
    path: str
    do: Deed | None
    rule: str
    who: str = READER
    view: View | None = None
    body: Schema | None = None
    root: str | None = None
    wrap: str | None = None
    many: bool = False
    one: str | None = None
    optional: bool = False
    dry: bool = False
    """Whether ``?dry_run=1`` is understood: what it would do, without doing it."""
    queries: tuple[Query, ...] = ()
    """The parameters that it reads."""

    status: int = 200
    deeds: Mapping[str, tuple[Action, ...]] = dataclasses.field(default_factory=dict)
    """The actions behind this one path, by the key of their body."""
    said: str = ""
    """One sentence for the api-ref."""

    @property
    def parameters(self) -> tuple[Query, ...]:
        """All that may stand behind its ``?``."""
        return (*self.queries, DRY) if self.dry else self.queries

    @staticmethod
    def actions(
        path: str, known: Mapping[str, Action | tuple[Action, ...]], **about: typing.Any
    ) -> "tuple[Op, ...]":
        """The one POST behind which several actions stand, told apart by their key."""
        deeds = {
            key: deed if isinstance(deed, tuple) else (deed,)
            for key, deed in known.items()
        }
        about = {"who": MEMBER, "status": 202, **about}
        return (Op("POST", path, None, rule="", deeds=deeds, **about),)


@dataclasses.dataclass(frozen=True, slots=True)
class Resource:
    """A noun: its name in one and in many, where it is, and what can be done with it.

    ``path`` is below ``/v1.0/{tenant}``.
    """

    name: str
    plural: str
    ops: tuple[Op, ...]
    path: str | None = None

    @property
    def root(self) -> str:
        """The path below the tenant."""
        return self.plural if self.path is None else self.path

    def full_path(self, op: Op) -> str:
        """``instances/{id}``."""
        return "/".join(part for part in (self.root, op.path) if part)
