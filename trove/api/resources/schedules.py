# SPDX-License-Identifier: Apache-2.0
"""The policy of an instance's backups: when they are made, how long kept. Ours alone.

It is said of an instance that there is, or in its create.
"""

import typing

from trove.actions import schedules
from trove.actions.schedules import Wish
from trove.api import schemas
from trove.api.dates import shown
from trove.api.resource import MEMBER, Ask, Op, Plain, Resource
from trove.model import verifications

DAYS: Plain = {"type": "integer", "minimum": 1, "maximum": 365}
POLICY: Plain = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "enabled": schemas.FLAG,
        "window": {
            "type": "string",
            "maxLength": 5,
            "pattern": r"\A([01][0-9]|2[0-3]):[0-5][0-9]\Z",
        },
        "full_every_days": DAYS,
        "increment_every_hours": {
            "type": ["integer", "null"],
            "minimum": 1,
            "maximum": 24,
        },
        "keep_days": DAYS,
        "verify": {
            "type": ["integer", "string"],
            "minimum": 1,
            "maximum": verifications.MOST,
            "maxLength": 5,
            "pattern": rf"\A({verifications.WORDS})\Z",
        },
        "verify_rows": schemas.FLAG,
        "point_in_time": schemas.FLAG,
    },
}
NEW: Plain = {**POLICY, "type": ["object", "boolean", "null"]}
"""In a create: true and false are as good as ``enabled`` alone."""


def wish(body: Plain) -> Wish:
    """What a checked body says."""
    said: Wish = {}
    for name in ("enabled", "verify_rows", "point_in_time"):
        if name in body:
            said[name] = bool(body[name])
    if "window" in body:
        hours, _, minutes = body["window"].partition(":")
        said["minute"] = 60 * int(hours) + int(minutes)
    for name in ("full_every", "increment_every", "keep_days"):
        for given in (name, f"{name}_days", f"{name}_hours"):
            if given in body:
                # JSON's 7.0 is an integer too
                said[name] = None if body[given] is None else int(body[given])
    if "verify" in body:  # of XML, a number is its digits
        given = body["verify"]
        often = verifications.often
        said["verify"] = often(given) if isinstance(given, str) else int(given)
    return said


def at_create(body: Plain | bool | None) -> Wish | None:
    """What a create's says; None: nothing."""
    if body is None:
        return None
    return {"enabled": body} if isinstance(body, bool) else wish(body)


def show(ask: Ask) -> typing.Any:
    return schedules.show(ask.services, ask.ids["id"], ask.project)


def put(ask: Ask) -> typing.Any:
    said = wish(ask.body["backup_policy"])
    return schedules.put(ask.services, ask.context, ask.ids["id"], ask.project, said)


def view(ask: Ask, found: typing.Any) -> Plain:
    """``window`` is null as long as nobody, and no chance, has said one; ``message``
    says what is not done that the policy asks for."""
    row, minute = found.row, found.row.minute
    return {
        "enabled": row.enabled,
        "window": None if minute is None else f"{minute // 60:02}:{minute % 60:02}",
        "full_every_days": row.full_every,
        "increment_every_hours": row.increment_every,
        "keep_days": row.keep_days,
        "verify": verifications.written(row.verify),
        "verify_rows": row.verify_rows,
        "point_in_time": row.point_in_time,
        "next_due": shown(row.next_due) if row.enabled else None,
        "last_run": shown(row.last_run),
        "last_fault": row.last_fault,
        "message": found.message,
    }


RESOURCES = (
    Resource(
        "backup_policy",
        "backup_policies",
        (
            Op(
                "GET",
                "",
                show,
                "instance:backup_policy_show",
                view=view,
                said="Show when backups of an instance are made by themselves.",
            ),
            Op(
                "PUT",
                "",
                put,
                "instance:backup_policy_update",
                body=POLICY,
                view=view,
                who=MEMBER,
                dry=True,
                said="Say when backups of an instance are made, and how long kept.",
            ),
        ),
        path="instances/{id}/backup_policy",
    ),
)
