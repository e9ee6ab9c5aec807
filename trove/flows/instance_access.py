# SPDX-License-Identifier: Apache-2.0
"""Who reaches a database's port, and on which addresses: changed as a whole."""

import typing

from sqlalchemy import orm

from trove import errors
from trove.cloud.protocol import Refused
from trove.db.queries import instances
from trove.db.session import now
from trove.db.tables import Guest
from trove.flows import ends, guestjobs, things
from trove.flows.context import StepContext
from trove.model import operations, states
from trove.workflow.flow import Flow, Settle, Step, Wait, minutes

SILENT = 60.0
"""Seconds of a guest's silence after which its certificate is left to its next one."""


class GroupGone(errors.Upstream):
    """Nothing stands between the world and the database's port, or nothing at all."""

    sentence = "The security group of the instance is gone."


def set_rules(ctx: StepContext) -> dict[str, str]:
    """The group has the rules of the row, and no others."""
    return _have(ctx, ctx.instance().access)


def restore_rules(ctx: StepContext) -> None:
    """Those before; a group that is gone stays so."""
    try:
        _have(ctx, asked(ctx).before)
    except GroupGone:
        return


def set_address(ctx: StepContext) -> Settle | Wait:
    """A public one if it is to have one, and else none."""
    found = _address(ctx, ctx.instance().access)
    if isinstance(found, Wait):
        return found
    return Settle(lambda tx: instances.public(tx, ctx.object_id, found or None))


def restore_address(ctx: StepContext) -> Wait | None:
    """As it was; one that was given back may be another, or be refused.

    Where a delete waits none is had again. What is shown is what there is.
    """
    before = asked(ctx).before
    going = ctx.instance().task == states.Task.DELETING
    try:
        found = _there(ctx) if _public(before) and going else _address(ctx, before)
    except Refused:
        found = _there(ctx)
    if isinstance(found, Wait):
        return found
    ctx.write(lambda tx: instances.public(tx, ctx.object_id, found or None))
    return None


def _address(ctx: StepContext, access: dict[str, typing.Any] | None) -> str | Wait:
    """The public address that there is now; empty: none."""
    if not _public(access):
        return things.no_floating_ip(ctx) or ""
    made = things.floating_ip(ctx, things.own_port(ctx))
    return made if isinstance(made, Wait) else made.address


def _there(ctx: StepContext) -> str | Wait:
    """The one that it has, whatever it is to have; empty: none."""
    found = ctx.cloud.network.find_floating_ips(ctx.key(things.PUBLIC))
    return found[0].address if found else ""


def note_certificate(ctx: StepContext) -> dict[str, str | None]:
    """The one that the next step has replaced."""
    return {"serial": _serial(ctx)}


def renew_certificate(ctx: StepContext) -> dict[str, str] | Wait:
    """The database's certificate names the addresses that it has now.

    A guest that does not answer fails nothing: the address is there, and the next
    certificate that it asks for names it.
    """
    if _public(ctx.instance().access) == _public(asked(ctx).before):
        return {}
    try:
        done = guestjobs.carry(ctx, "renew_certificate")
    except guestjobs.JobFailed:
        return {}
    if guestjobs.unheard(ctx, SILENT):
        return {}
    if not isinstance(done, Wait) and _serial(ctx) == _noted(ctx):
        done = Wait(1, "the guest asks for its certificate")
    return done if isinstance(done, Wait) else {}


def _noted(ctx: StepContext) -> str | None:
    return typing.cast(str | None, ctx.output(note_certificate).get("serial"))


def _serial(ctx: StepContext) -> str | None:
    with ctx.claim.database.reading() as tx:
        guest = tx.get(Guest, ctx.object_id)
        return guest.certificate_serial if guest else None


def _public(access: dict[str, typing.Any] | None) -> bool:
    return bool((access or {}).get("is_public"))


def _have(ctx: StepContext, access: dict[str, typing.Any] | None) -> dict[str, str]:
    network, key = ctx.cloud.network, ctx.key(things.GROUP)
    wanted = things.rules(ctx, ctx.instance(), access)
    found = network.find_groups(key)
    if not found:
        raise GroupGone()
    if set(found[0].rules) != set(wanted):
        ctx.claim.guard(ctx.settings.call_timeout)
        network.create_group(key, wanted)
    return {"group": found[0].id}


def settle(ctx: StepContext) -> Settle:
    """UPDATING -> NONE."""
    return ends.at_rest(ctx)


def failed(ctx: StepContext, tx: orm.Session, fault: str) -> None:
    """Who could reach it before can; the fault says what did not work.

    Not when only a delete ended it, after its address was set: that stays to be seen
    until the delete has taken it away.
    """
    row = instances.get(tx, ctx.object_id)
    if row is None:
        return
    if row.task == states.Task.UPDATING:
        instances.move(tx, ctx.object_id, states.Task.NONE)
    done = ctx.operation.pivot_passed
    instances.changes(
        tx,
        ctx.object_id,
        access=row.access if done else asked(ctx).before,
        fault=fault,
        fault_at=now(tx),
        updated=now(tx),
    )


def asked(ctx: StepContext) -> operations.ChangeAccess:
    """What was there when the change was accepted."""
    return operations.ChangeAccess.from_dict(ctx.operation.input or {})


FLOW = Flow(
    operations.ACCESS,
    (
        Step(set_rules, undo=restore_rules, within=minutes(10)),
        Step(set_address, undo=restore_address, within=minutes(5), pivot=True),
        Step(note_certificate),
        Step(renew_certificate),
        Step(settle),
    ),
    deadline=operations.DEADLINES[operations.ACCESS],
    failed=failed,
)
