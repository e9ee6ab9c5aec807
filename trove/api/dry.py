# SPDX-License-Identifier: Apache-2.0
"""``?dry_run=1``: what a request would do to an instance, and nothing done.

Ours alone. It is answered 200 with ``dry_run``; what would be refused is refused with
the same status and sentence. Where it is not understood it is refused, for to do the
thing would be the worst answer.
"""

import contextlib
import dataclasses
import typing

from trove import errors
from trove.actions import instances
from trove.actions.rehearsal import Outcome, Rehearsal, Rehearsed
from trove.api.resource import Ask, Deed, Op, Plain

NAMES = {"flavor_id": "flavor", "configuration_id": "configuration"}
"""Columns that the wire calls otherwise."""

TRUTH = {"1": True, "true": True, "0": False, "false": False}


def asked(op: Op, ask: Ask) -> bool:
    """Raises ``errors.Invalid`` where there is none to be had."""
    given = ask.query.given.get("dry_run")
    if given is None or op.method == "GET":
        return False
    wanted = TRUTH.get(given.lower())
    if wanted is None:
        raise errors.Invalid("dry_run must be true or false.")
    if wanted and not op.dry:
        raise errors.Invalid("This request has no dry run; nothing was done.")
    return wanted


def rehearse(ask: Ask, do: Deed, noun: str) -> Plain:
    """The answer's body; ``noun`` is what the path's id is of."""
    id, group = ask.ids.get("id"), None
    if noun == "configuration":
        id, group = None, id
    elif noun == "backup":
        id = None
    if id is not None:
        with contextlib.suppress(errors.NotFound):  # the deed itself will say so
            id = instances.known(ask.services, id, ask.project)
    rehearsal = Rehearsal(ask.services, ask.context, ask.owner, id, group)
    nothing: Plain = {"services": rehearsal.services, "key": None}
    nothing["object_store"] = _Nowhere  # to open it would make its container
    with contextlib.suppress(Rehearsed):
        do(dataclasses.replace(ask, **nothing))
    return {"dry_run": _view(rehearsal.outcome)}


class _Nowhere:
    """In the place of an object store."""

    def close(self) -> None:
        """Nothing is open."""


def _view(outcome: Outcome) -> Plain:
    named = sorted({*outcome.reserved, *outcome.returned})
    said: Plain = {
        "operations": outcome.operations,
        "quota": [
            {
                "resource": name,
                "reserved": outcome.reserved.get(name, 0),
                "returned": outcome.returned.get(name, 0),
            }
            for name in named
        ],
    }
    changes = {
        NAMES.get(name, name): {"before": before, "after": after}
        for name, (before, after) in sorted(outcome.changes.items())
    }
    return said | ({"changes": _known(changes)} if changes else {})


def _known(changes: dict[str, typing.Any]) -> Plain:
    """Without what there was not, or will not be: absent, never null."""
    return {
        name: {which: value for which, value in change.items() if value is not None}
        for name, change in changes.items()
    }
