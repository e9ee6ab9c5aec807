# SPDX-License-Identifier: Apache-2.0
"""The product with one safeguard taken out: a simulation must go red with each."""

import typing

import sqlalchemy as sa
from sqlalchemy import orm

from tests.chaos.actors import WatchedClaim, WatchedClaims
from tests.chaos.simulation import Odds, Parts
from trove.db.tables import Operation
from trove.flows.context import StepContext, Surroundings
from trove.model.states import ThingState
from trove.workflow.claims import Claim
from trove.workflow.flow import Wait
from trove.workflow.ledger import Ledger


class Unfenced(WatchedClaim):
    """Takes whatever fence is there for its own."""

    def _hold(self, tx: orm.Session, *how: typing.Any) -> None:
        mine = self.operation.fence
        there = sa.select(Operation.fence).where(Operation.id == self.id)
        self.operation.fence = tx.execute(there).scalar_one()
        try:
            super()._hold(tx, *how)
        finally:
            self.operation.fence = mine


class UnfencedClaims(WatchedClaims):
    kind = Unfenced


class Forgetful(Ledger):
    """Makes first, and writes down what it made: no intent, and no look before."""

    def ensure(self, key: str, kind: str, **how: typing.Any) -> str | Wait:
        row = self.row(key)
        if row is not None and row.state == ThingState.CREATED and row.external_id:
            return row.external_id
        made: str = how["make"]()
        self._intend(key, kind, how.get("data_bearing", False))
        self._created(key, made)
        return made


class Hasty(Ledger):
    """Takes back once what it knows the id of, and calls it gone."""

    def absent(self, key: str, **how: typing.Any) -> Wait | None:
        row = self.row(key)
        if row is None or row.state == ThingState.GONE:
            return None
        if row.external_id:
            how["delete"](row.external_id)
        self._change(key, state=ThingState.GONE)
        return None


def with_ledger(kind: type[Ledger]) -> type[StepContext]:
    """A step's context whose ledger is of that kind."""

    class Context(StepContext):
        def __init__(self, claim: Claim, around: Surroundings) -> None:
            super().__init__(claim, around)
            settings = around.settings
            self.ledger = kind(
                claim, grace=settings.grace, call_timeout=settings.call_timeout
            )

    return Context


ROUGH = Odds(crash=0.02, pause=0.05, switch=0.1, fault=0.04, visible_after=0.0)
"""Rougher than most seeds are, so that a mutant does not need thousands of them."""

SLEEPY = Odds(crash=0.0, pause=0.06, switch=0.0, fault=0.0, visible_after=0.0)
"""Workers come back late from just before a call, and nothing else happens."""

FAULTY = Odds(crash=0.06, pause=0.0, switch=0.0, fault=0.02, visible_after=6.0)
"""Nobody comes back late, so the reaper has no excuse to find anything."""

MUTANTS = {
    "no fence": Parts(odds=ROUGH, claims=UnfencedClaims),
    "no intent ledger": Parts(odds=ROUGH, context=with_ledger(Forgetful)),
    "no repetition of undo": Parts(odds=FAULTY, context=with_ledger(Hasty)),
    "no reaper": Parts(odds=ROUGH, reaps=0),
    "no volume guard": Parts(odds=SLEEPY, guards_volumes=False),
}
