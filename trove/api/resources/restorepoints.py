# SPDX-License-Identifier: Apache-2.0
"""What a new instance is made of: a backup (contract, 6.2), or a moment of another
instance, which is ours alone."""

import datetime
import re

from trove import errors
from trove.actions.flavors import id_of
from trove.actions.orders import RestorePoint
from trove.api import schemas
from trove.api.resource import Plain

SCHEMA: Plain = {
    "type": ["object", "null"],
    "properties": {
        "backupRef": schemas.UUID_OR_URL,
        "instance": schemas.UUID_OR_URL,
        "time": {"type": "string", "maxLength": 40},
        # as PostgreSQL bounds them, and nothing that would end a quoted text
        "point": {
            "type": "string",
            "minLength": 1,
            "maxLength": 63,
            "pattern": r"\A[^\x00-\x1f\x7f'\\]+\Z",
        },
    },
}

LATEST = 2.0**33
"""Of a moment: beyond it, not each zone has a date."""
TIME = re.compile(
    r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{1,6})?(Z|[+-]\d{2}:\d{2})?", re.ASCII
)


def backup(body: Plain | None) -> str | None:
    """The backup that a checked ``restorePoint`` names."""
    if not body:
        return None
    if "backupRef" in body:
        if len(body.keys() & SCHEMA["properties"].keys()) > 1:
            raise errors.Invalid("A restorePoint has a backupRef, or an instance.")
        return id_of(body["backupRef"])
    if "instance" not in body:
        raise errors.Invalid("A restorePoint needs a backupRef, or an instance.")
    return None


def moment(body: Plain | None) -> RestorePoint | None:
    """The moment, or the point with a name, that it names of an instance."""
    if not body or "instance" not in body:
        return None
    if ("time" in body) == ("point" in body):
        raise errors.Invalid(
            "A restorePoint of an instance needs a time, or a point: one of them."
        )
    at = seconds(body["time"]) if "time" in body else None
    return RestorePoint(id_of(body["instance"]), at, body.get("point"))


def seconds(text: str) -> float:
    """Seconds since the epoch; without a zone it is UTC."""
    try:
        if not TIME.fullmatch(text):
            raise ValueError
        at = datetime.datetime.fromisoformat(text)
        if at.tzinfo is None:
            at = at.replace(tzinfo=datetime.UTC)
        found = at.timestamp()
        if not 0 <= found < LATEST:
            raise ValueError
        return found
    except (ValueError, OverflowError):
        raise errors.Invalid(
            "The time of a restorePoint must be like 2026-11-30T02:17:04Z, or "
            "2026-11-30T03:17:04.25+01:00; without a zone it is UTC."
        ) from None
