# SPDX-License-Identifier: Apache-2.0
"""The intent ledger: things outside, found again by key, never made twice or forgotten.

``ensure`` looks, waits while an unanswered request may still land, writes the intent,
and only then makes; ``absent`` deletes by key *and* by id until the cloud shows
nothing (operations.md, rules 4 to 7). The ledger knows no cloud: it is given callables.
"""

import logging
import typing

import sqlalchemy as sa

from trove import errors
from trove.db.session import epoch_now
from trove.db.tables import CloudThing
from trove.model import naming
from trove.model.states import ThingState
from trove.workflow.claims import Claim, Work
from trove.workflow.flow import Wait

LOG = logging.getLogger(__name__)

Find = typing.Callable[[], typing.Sequence[str]]
"""Ids of all things that carry the key, oldest first."""

Make = typing.Callable[[], str]
"""Makes the thing; answers its id."""

OFTEN, SELDOM = 0.2, 2.0
"""Seconds between two looks at a thing that is going, at first and in the end."""

THINGS = typing.cast(sa.Table, CloudThing.__table__)
OF_OWNER = sa.select(CloudThing).where(CloudThing.owner == sa.bindparam("whose"))


class MayHaveLanded(Exception):
    """Raised by a ``Make`` when its request may or may not have been carried out."""


class Ledger:
    """The ledger, in the hand of one claim."""

    def __init__(self, claim: Claim, *, grace: float, call_timeout: float) -> None:
        self._claim = claim
        self._grace = grace
        self._call_timeout = call_timeout
        self._rows: dict[str, dict[str, CloudThing]] = {}

    def row(self, key: str) -> CloudThing | None:
        """What is written down of a thing.

        Nobody but the holder of the claim writes of an owner's things, so they are read
        once; what a stale holder believes, the fence keeps it from writing.
        """
        return self._of(naming.owner(key)).get(key)

    def _of(self, owner: str) -> dict[str, CloudThing]:
        if owner not in self._rows:
            with self._claim.database.reading() as tx:
                found = tx.scalars(OF_OWNER, {"whose": owner})
                self._rows[owner] = {row.key: row for row in found}
        return self._rows[owner]

    def ensure(
        self,
        key: str,
        kind: str,
        *,
        find: Find,
        make: Make,
        data_bearing: bool = False,
        in_parts: bool = False,
    ) -> str | Wait:
        """The id of the thing with this key, made if there is none; or Wait.

        ``in_parts``: ``make`` may fail when the thing is there already, unfinished.
        """
        row = self.row(key)
        fresh = row is None or row.state == ThingState.GONE
        if row and row.state == ThingState.CREATED and row.external_id:
            return row.external_id
        self._claim.guard(self._call_timeout)
        found = find()
        if found:
            if fresh:
                self._intend(key, kind, data_bearing)
            self._created(key, found[0])
            return found[0]
        if row and not fresh and row.posted_at is not None:
            left = row.posted_at + self._grace - self._claim.now()
            if left > 0:
                return Wait(left + 0.1, f"whether {key} was made is not known yet")
        if fresh:
            self._intend(key, kind, data_bearing, posted=True)
        else:
            self._change(key, posted_at=epoch_now())
        self._claim.guard(self._call_timeout)
        try:
            made = make()
        except MayHaveLanded as lost:
            LOG.warning("%s: %s; whether it was made is looked up", key, lost)
            return Wait(min(2.0, self._grace), f"{key}: {lost}")
        except errors.TroveError:
            # a definite no, in the cloud's own words: nothing is on its way. Anything
            # else (a bug of ours) leaves the post on record, as a crash would.
            if not in_parts:
                self._forget_post(key)
            raise
        self._created(key, made)
        return made

    def absent(
        self,
        key: str,
        *,
        find: Find,
        delete: typing.Callable[[str], None],
        there: typing.Callable[[str], bool],
        retain: typing.Callable[[str], None] | None = None,
    ) -> Wait | None:
        """None when nothing with this key is left; else Wait.

        ``retain``: instead of deleting, mark it as kept (rule 7), and call it retained;
        one that is not there any more is gone all the same.
        """
        row = self.row(key)
        if row is None:
            return None
        self._claim.guard(self._call_timeout)
        ids = list(
            dict.fromkeys([*find(), *([row.external_id] if row.external_id else [])])
        )
        if retain is not None:
            ids = [id for id in ids if there(id)]
        for id in ids:
            self._claim.guard(self._call_timeout)
            (retain or delete)(id)
        if row.external_id is None and row.posted_at is not None:
            left = row.posted_at + self._grace - self._claim.now()
            if left > 0:
                return Wait(left + 0.1, f"a request to make {key} may still land")
        if retain is not None and ids:
            kept = row.external_id if row.external_id in ids else ids[0]
            self._note(key, state=ThingState.RETAINED, external_id=kept)
            return None
        for id in ids:
            self._claim.guard(self._call_timeout)
            if there(id):
                return Wait(self._soon(), f"{key} is going")
        self._note(key, state=ThingState.GONE)
        return None

    def _soon(self) -> float:
        """Half of what the step has taken so far: quick at first, and few in all."""
        begun = max((step.begun_at for step in self._claim.steps.values()), default=0.0)
        return min(SELDOM, max(OFTEN, (self._claim.now() - begun) / 2))

    # -- rows ----------------------------------------------------------------------

    def _intend(
        self, key: str, kind: str, data_bearing: bool, posted: bool = False
    ) -> None:
        owner, moment = naming.owner(key), epoch_now()
        columns = {
            "kind": kind,
            "owner": owner,
            "operation_id": self._claim.operation.id,
            "data_bearing": data_bearing,
            "state": ThingState.INTENT,
            "external_id": None,
            "posted_at": moment if posted else None,
        }
        if self.row(key) is not None:
            self._change(key, **columns)
            return
        values = {"key": key, "created": moment, "updated": moment, **columns}
        self._claim.write(
            lambda tx: typing.cast(None, tx.execute(sa.insert(THINGS).values(values)))
        )
        self._of(owner)[key] = CloudThing(key=key)
        self._believe(key, columns)

    def _created(self, key: str, id: str) -> None:
        self._note(key, state=ThingState.CREATED, external_id=id, posted_at=None)

    def _forget_post(self, key: str) -> None:
        self._change(key, posted_at=None)

    def _change(self, key: str, **columns: typing.Any) -> None:
        """Writes now."""
        self._claim.write(_changing(key, columns))
        self._believe(key, columns)

    def _note(self, key: str, **columns: typing.Any) -> None:
        """Writes with what is written next: to look again finds as much."""
        self._claim.later(_changing(key, columns))
        self._believe(key, columns)

    def _believe(self, key: str, columns: dict[str, typing.Any]) -> None:
        """What was written, without a look."""
        row = self.row(key)
        for name, value in columns.items() if row else ():
            known = not isinstance(value, sa.ColumnElement)
            setattr(row, name, value if known else self._claim.now())


def _changing(key: str, columns: dict[str, typing.Any]) -> Work:
    """The change of a thing's row."""
    changing = (
        sa.update(THINGS)
        .where(THINGS.c.key == key)
        .values(**columns, updated=epoch_now())
    )
    return lambda tx: typing.cast(None, tx.execute(changing))
