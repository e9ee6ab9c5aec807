# SPDX-License-Identifier: Apache-2.0
"""What must hold at the end of a simulation: the rows, the cloud and the guests."""

import collections
import typing

import sqlalchemy as sa
from sqlalchemy import orm

from tests.chaos.simulation import Simulation
from trove.db.tables import CloudThing, Event, Instance, Operation, Usage
from trove.model import naming
from trove.model.quotas import cost_of_instance
from trove.model.states import LIVE

KINDS = ("server", "volume", "port", "group")


def broken(world: Simulation) -> list[str]:
    """Every invariant that does not hold; none is best."""
    found = list(dict.fromkeys(world.wrong))
    world.quarantine = {thing.id for thing in world.reaper.look() if thing.quarantine}
    with world.database.reading() as tx:
        for check in CHECKS:
            found += check(world, tx)
    return found


def operations_end(world: Simulation, tx: orm.Session) -> typing.Iterator[str]:
    """INV-1, INV-3, INV-7."""
    for row in tx.scalars(sa.select(Operation)):
        if row.state in LIVE:
            yield f"INV-1: {row.kind} is {row.state}"
        elif row.lock_key is not None:
            yield "INV-7: a lock is held by nobody"
        elif row.state != "done" and not row.fault:
            yield "INV-3: an end without a reason"
        if row.state not in LIVE and row.input is not None:
            yield "INV-17: a sealed input outlived its operation"


def nothing_leaks(world: Simulation, tx: orm.Session) -> typing.Iterator[str]:
    """INV-2, INV-4, INV-16.

    Only a worker that slept makes a volume after it was undone: that one ends in
    quarantine, for data is never deleted on a guess. Any other is a leak.
    """
    quarantine = world.quarantine if world.slept else set()
    there = [(t.kind, naming.owner(t.key), t.id) for t in world.cloud.things()]
    alive = {row.id for row in _alive(tx)}
    have = collections.Counter(
        (kind, owner) for kind, owner, id in there if id not in quarantine
    )
    want = collections.Counter((kind, id) for id in alive for kind in KINDS)
    for kind, owner in have - want:
        yield f"INV-2, INV-16: a {kind} of {owner} is nobody's"
    for kind, owner in want - have:
        yield f"INV-4: the {kind} of {owner} is missing"
    for user in world.users.there - alive:
        yield f"INV-16: the broker user of {user}"
    ids = {id for _, _, id in there} | world.users.there
    made = sa.select(CloudThing.external_id).where(CloudThing.state == "created")
    for id in tx.scalars(made):
        if id not in ids:
            yield f"INV-4: {id} is in the ledger, and not there"


def the_quota_is_exact(world: Simulation, tx: orm.Session) -> typing.Iterator[str]:
    """INV-5."""
    cost = collections.Counter[str]()
    for row in _alive(tx):
        cost.update(cost_of_instance(row.ram, row.volume_size))
    for usage in tx.scalars(sa.select(Usage)):
        if usage.reserved or usage.used != cost[usage.resource]:
            yield f"INV-5: {usage.resource}: {usage.used} used, {usage.reserved} held"


def a_token_counts_once(world: Simulation, tx: orm.Session) -> typing.Iterator[str]:
    """INV-8."""
    for token, ids in world.user.answers.items():
        if len(ids) != 1:
            yield f"INV-8: {token} made {len(ids)} instances"


def guests_work_once(world: Simulation, tx: orm.Session) -> typing.Iterator[str]:
    """INV-11: whoever is ACTIVE was prepared, and once."""
    for row in _alive(tx):
        mine = [g for g in world.guests.all.values() if g.server == row.server_id]
        jobs = [job for guest in mine for job in guest.done if "/prepare" in job]
        if len(jobs) != 1:
            yield f"INV-11: prepared {len(jobs)} times"


def events_have_no_gap(world: Simulation, tx: orm.Session) -> typing.Iterator[str]:
    """INV-19: gapless, and one beginning and one end for each operation."""
    ends = collections.Counter[str]()
    seqs = collections.defaultdict(list)
    for event in tx.scalars(sa.select(Event).order_by(Event.object_id, Event.seq)):
        seqs[event.object_id].append(event.seq)
        if event.kind.endswith((".end", ".error")):
            ends[(event.payload or {})["operation"]] += 1
    for found in seqs.values():
        if found != list(range(1, len(found) + 1)):
            yield f"INV-19: a gap in {found}"
    for row in tx.scalars(sa.select(Operation).where(Operation.state.not_in(LIVE))):
        if ends[row.id] != 1:
            yield f"INV-19: {row.kind} ended {ends[row.id]} times"


def _alive(tx: orm.Session) -> list[Instance]:
    return list(
        tx.scalars(
            sa.select(Instance).where(
                Instance.deleted_at.is_(None), Instance.was_active
            )
        )
    )


CHECKS = (
    operations_end,
    nothing_leaks,
    the_quota_is_exact,
    a_token_counts_once,
    guests_work_once,
    events_have_no_gap,
)
