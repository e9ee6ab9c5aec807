# SPDX-License-Identifier: Apache-2.0
"""Operations and events: what was accepted, how far it is, what happened. Ours alone.

What a client of a 202 asks: whether it has ended, how, at which step it is and why it
goes on waiting. Upstream has no such routes.
"""

import typing

from trove.actions import history
from trove.api import dates, paging
from trove.api.queries import PAGING, WORD, Query
from trove.api.resource import Ask, Op, Plain, Resource

INSTANCE = Query("instance_id", "Only those of this instance.", WORD)
PAGE = 100
"""The most of a page, where the operator's limits name none for it."""


def page(ask: Ask) -> paging.Page:
    wanted = paging.wanted(ask.query, PAGE)
    found = history.page(
        ask.services,
        ask.owner,
        instance=ask.query.get("instance_id"),
        limit=wanted.limit,
        marker=wanted.marker,
    )
    return paging.Page(*found)


def show(ask: Ask) -> history.Whole:
    return history.show(ask.services, ask.ids["id"], ask.project)


def events(ask: Ask) -> paging.Page:
    wanted = paging.wanted(ask.query, PAGE)
    found = history.events(
        ask.services, ask.ids["id"], ask.project, wanted.limit, wanted.marker
    )
    return paging.Page(*found)


def view(ask: Ask, row: Plain) -> Plain:
    """An item of the list; what is not known is absent."""
    said = {
        "id": row["id"],
        "type": row["kind"],
        f"{row['object_type']}_id": row["object_id"],
        "state": row["state"],
        "created": dates.shown(row["created"]),
        "updated": dates.shown(row["updated"]),
        "deadline": dates.shown(row["deadline"]),
    }
    known = {
        "cancelled": row["cancel"] or None,
        "fault": row["fault"],
        "request_id": row["request_id"],
        "user_id": row["user"],
    }
    return said | {name: value for name, value in known.items() if value is not None}


def whole(ask: Ask, found: history.Whole) -> Plain:
    """With its steps in their order, those that have begun."""
    said = view(ask, found.shown.operation)
    said["steps"] = [_step(step) for step in found.shown.steps]
    if found.job is not None:
        said["job"] = {
            name: found.job[name] for name in ("method", "state", "progress")
        }
        carried = (found.job["result"] or {}).get("carried")
        if type(carried) is int:  # a guest says what it likes
            said["job"]["bytes"] = carried
    return said


def _step(step: Plain) -> Plain:
    said = {
        "name": step["name"],
        "state": step["state"],
        "begun": dates.shown(step["begun_at"]),
    }
    return said | ({"fault": step["fault"]} if step["fault"] else {})


def event(ask: Ask, row: Plain) -> Plain:
    said = {"seq": row["seq"], "type": row["kind"], "at": dates.shown(row["at"])}
    if row["request_id"]:
        said["request_id"] = row["request_id"]
    told = {k: v for k, v in (row["payload"] or {}).items() if v is not None}
    return said | ({"details": told} if told else {})


def _op(path: str, do: typing.Any, rule: str, said: str, **about: typing.Any) -> Op:
    return Op("GET", path, do, rule, said=said, **about)


RESOURCES = (
    Resource(
        "operation",
        "operations",
        (
            _op(
                "",
                page,
                "operation:index",
                "List a project's long work, newest first; ``instance_id`` narrows it.",
                view=view,
                many=True,
                queries=(*PAGING, INSTANCE),
            ),
            _op(
                "{id}",
                show,
                "operation:show",
                "Show how far an operation is: its steps, its end, its fault.",
                view=whole,
            ),
        ),
    ),
    Resource(
        "event",
        "events",
        (
            _op(
                "",
                events,
                "instance:events",
                "List what happened to an instance, and who asked for it.",
                view=event,
                many=True,
                queries=PAGING,
            ),
        ),
        path="instances/{id}/events",
    ),
)
