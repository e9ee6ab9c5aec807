# SPDX-License-Identifier: Apache-2.0
"""The intent ledger: things outside, found again by key, never made twice or forgotten.

``ensure`` writes the intent, looks, waits while an unanswered request may still land,
and only then makes; ``absent`` deletes by key *and* by id until the cloud shows
nothing (operations.md, rules 4 to 7). The ledger knows no cloud: it is given callables.
"""

import typing

import sqlalchemy as sa
from sqlalchemy import orm

from trove import errors
from trove.db.session import epoch_now, now
from trove.db.tables import CloudThing
from trove.model import naming
from trove.model.states import ThingState
from trove.workflow.claims import Claim
from trove.workflow.flow import Wait

Find = typing.Callable[[], typing.Sequence[str]]
"""Ids of all things that carry the key, oldest first."""

Make = typing.Callable[[], str]
"""Makes the thing; answers its id."""


class MayHaveLanded(Exception):
    """Raised by a ``Make`` when its request may or may not have been carried out."""


class Ledger:
    """The ledger, in the hand of one claim."""

    def __init__(self, claim: Claim, *, grace: float, call_timeout: float) -> None:
        self._claim = claim
        self._grace = grace
        self._call_timeout = call_timeout

    def row(self, key: str) -> CloudThing | None:
        """What is written down of a thing."""
        with self._claim.database.reading() as tx:
            return tx.get(CloudThing, key)

    def ensure(
        self,
        key: str,
        kind: str,
        *,
        find: Find,
        make: Make,
        data_bearing: bool = False,
    ) -> str | Wait:
        """The id of the thing with this key, made if there is none; or Wait."""
        row = self.row(key)
        if row is None or row.state == ThingState.GONE:
            self._intend(key, kind, data_bearing)
            row = None
        elif row.state == ThingState.CREATED and row.external_id:
            return row.external_id
        self._claim.guard(self._call_timeout)
        found = find()
        if found:
            self._created(key, found[0])
            return found[0]
        if row is not None and row.posted_at is not None:
            left = row.posted_at + self._grace - self._claim.now()
            if left > 0:
                return Wait(left + 0.1, f"whether {key} was made is not known yet")
        self._change(key, posted_at=epoch_now())
        self._claim.guard(self._call_timeout)
        try:
            made = make()
        except MayHaveLanded as lost:
            return Wait(min(2.0, self._grace), f"{key}: {lost}")
        except errors.TroveError:
            # a definite no, in the cloud's own words: nothing is on its way. Anything
            # else (a bug of ours) leaves the post on record, as a crash would.
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

        ``retain``: instead of deleting, mark it as kept (rule 7), and call it retained.
        """
        row = self.row(key)
        if row is None:
            return None
        self._claim.guard(self._call_timeout)
        ids = list(
            dict.fromkeys([*find(), *([row.external_id] if row.external_id else [])])
        )
        for id in ids:
            self._claim.guard(self._call_timeout)
            if retain is not None:
                retain(id)
            else:
                delete(id)
        if row.external_id is None and row.posted_at is not None:
            left = row.posted_at + self._grace - self._claim.now()
            if left > 0:
                return Wait(left + 0.1, f"a request to make {key} may still land")
        if retain is not None:
            self._change(key, state=ThingState.RETAINED)
            return None
        for id in ids:
            self._claim.guard(self._call_timeout)
            if there(id):
                return Wait(2, f"{key} is going")
        self._change(key, state=ThingState.GONE)
        return None

    # -- rows ----------------------------------------------------------------------

    def _intend(self, key: str, kind: str, data_bearing: bool) -> None:
        operation = self._claim.operation

        def work(tx: orm.Session) -> None:
            moment = now(tx)
            row = tx.get(CloudThing, key) or CloudThing(key=key, created=moment)
            row.kind, row.owner = kind, naming.owner(key)
            row.operation_id = operation.id
            row.data_bearing = data_bearing
            row.state = ThingState.INTENT
            row.external_id, row.posted_at = None, None
            row.updated = moment
            tx.add(row)

        self._claim.write(work)

    def _created(self, key: str, id: str) -> None:
        self._change(key, state=ThingState.CREATED, external_id=id, posted_at=None)

    def _forget_post(self, key: str) -> None:
        self._change(key, posted_at=None)

    def _change(self, key: str, **columns: typing.Any) -> None:
        def work(tx: orm.Session) -> None:
            tx.execute(
                sa.update(CloudThing)
                .where(CloudThing.key == key)
                .values(**columns, updated=epoch_now())
                .execution_options(synchronize_session=False)
            )

        self._claim.write(work)
