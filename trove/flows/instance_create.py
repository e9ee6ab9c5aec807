# SPDX-License-Identifier: Apache-2.0
"""From nothing to ACTIVE, or back to nothing but a row that says why."""

import typing

from sqlalchemy import orm

from trove import errors
from trove.db.queries import configurations, instances, modules, quotas, root
from trove.db.session import now
from trove.db.tables import GuestReport
from trove.flows import guestjobs, instance_modules, kept, lent, restoring, things
from trove.flows.context import StepContext
from trove.model import operations, states
from trove.rpc import sealing
from trove.rpc.messages import DatabaseOrder, Plan
from trove.workflow.flow import Flow, Settle, Step, Wait, minutes


class NotApplied(errors.Upstream):
    """A module that was ordered is not in effect."""

    sentence = "The module {module} could not be applied: {why}"


def make_broker_user(ctx: StepContext) -> dict[str, str] | Wait:
    """First, so that it is there when the guest looks for the broker."""
    made = things.user(ctx, order(ctx).bootstrap)
    return made if isinstance(made, Wait) else {"user": made}


def remove_broker_user(ctx: StepContext) -> Wait | None:
    return things.no_user(ctx)


def make_security_group(ctx: StepContext) -> dict[str, str] | Wait:
    made = things.group(ctx, ctx.instance())
    return made if isinstance(made, Wait) else {"group": made}


def delete_security_group(ctx: StepContext) -> Wait | None:
    return things.no_group(ctx)


def make_ports(ctx: StepContext) -> Settle | Wait:
    """The addresses are known from here on; lists show them without a call."""
    lent.look(ctx, ctx.instance())
    group = ctx.output(make_security_group)["group"]
    made = things.ports(ctx, ctx.instance(), group)
    if isinstance(made, Wait):
        return made
    port = ctx.cloud.network.show_port(made[things.PORT])
    if port is None or not port.addresses:
        return ctx.soon("the port has no address yet")
    addresses = lent.shown(ctx.instance(), port.network, port.addresses)
    return Settle(
        lambda tx: instances.changes(tx, ctx.object_id, addresses=addresses),
        {"ports": made, "card": port.mac},
    )


def delete_ports(ctx: StepContext) -> Wait | None:
    return things.no_ports(ctx)


def is_public(ctx: StepContext) -> bool:
    return bool((ctx.instance().access or {}).get("is_public"))


def make_public_address(ctx: StepContext) -> Settle | Wait:
    """Before the server: the certificate of its database names it."""
    made = things.floating_ip(ctx, ctx.output(make_ports)["ports"][things.PORT])
    if isinstance(made, Wait):
        return made
    return Settle(
        lambda tx: instances.public(tx, ctx.object_id, made.address),
        {"floating_ip": made.id},
    )


def delete_public_address(ctx: StepContext) -> Wait | None:
    return things.no_floating_ip(ctx)


def has_volume(ctx: StepContext) -> bool:
    return ctx.instance().volume_size is not None


def make_volume(ctx: StepContext) -> Settle | Wait:
    """The one that was kept, of an instance that comes back."""
    if order(ctx).kept:
        made = kept.taken_up(ctx)
    else:
        made = things.volume(ctx, ctx.instance(), restoring.snapshot(ctx))
    if isinstance(made, Wait):
        return made
    return Settle(
        lambda tx: instances.changes(tx, ctx.object_id, volume_id=made),
        {"volume": made},
    )


def delete_volume(ctx: StepContext) -> Wait | None:
    """Nobody's data: it is kept when the instance was ever ACTIVE."""
    return things.no_volume(ctx, keep=ctx.instance().was_active)


def has_locality(ctx: StepContext) -> bool:
    return ctx.instance().locality is not None


def make_server_group(ctx: StepContext) -> dict[str, str] | Wait:
    """For a ``locality``: only a server that is booted into a group is in it."""
    made = things.server_group(ctx, ctx.instance().locality or "")
    return made if isinstance(made, Wait) else {"server_group": made}


def delete_server_group(ctx: StepContext) -> Wait | None:
    return things.no_server_group(ctx)


def boot_server(ctx: StepContext) -> Settle | Wait:
    """The machine the database lives in; ACTIVE by the cloud's word."""
    ordered = order(ctx)
    made = things.server(
        ctx,
        ctx.instance(),
        things.Order(
            ordered.image,
            ordered.bootstrap,
            ctx.output(make_ports)["ports"],
            ctx.output(make_volume).get("volume"),
            ctx.output(make_server_group).get("server_group"),
            ctx.output(make_ports).get("card", ""),
        ),
    )
    if isinstance(made, Wait):
        return made
    return Settle(
        lambda tx: instances.changes(tx, ctx.object_id, server_id=made),
        {"server": made},
    )


def delete_server(ctx: StepContext) -> Wait | None:
    return things.no_server(ctx)


def wait_for_guest(ctx: StepContext) -> dict[str, str] | Wait:
    """It has enrolled, and listens."""
    return guestjobs.listening(ctx)


def restore_data(ctx: StepContext) -> dict[str, typing.Any] | Wait:
    """Before the engine is ever started: what it finds are the backup's data."""
    return restoring.restore_data(ctx, _plan(ctx))


def prepare_guest(ctx: StepContext) -> dict[str, str] | Wait:
    """The agent makes of the machine what the user asked for."""
    done = guestjobs.carry(ctx, "prepare", plan=_plan(ctx))
    return done if isinstance(done, Wait) else {}


def wait_for_health(ctx: StepContext) -> dict[str, str] | Wait:
    """Only the write probe's word counts, not that of the job."""
    with ctx.claim.database.reading() as tx:
        report = tx.get(GuestReport, ctx.object_id)
    if report is None or report.service != states.Service.HEALTHY:
        said = report.service if report else "silent"
        return Wait(5, f"the database is {said}")
    return {}


def apply_modules(ctx: StepContext) -> dict[str, typing.Any] | Wait:
    """Those that were asked for, or else this is not what was ordered.

    One that an administrator gives to every instance may be refused by its driver: its
    state says so.
    """
    with ctx.claim.database.reading() as tx:
        had = modules.of_instance(tx, ctx.object_id, hidden=True)
    said = instance_modules.applied(ctx, [one.shown.row.id for one in had])
    if isinstance(said, Wait):
        return said
    for one in had:
        row = one.shown.row
        answer = said.get(row.id, {})
        if row.id in order(ctx).modules and answer.get("status") != states.Modular.OK:
            raise NotApplied(module=row.name, why=answer.get("message"))
    return {"said": said}


def settle(ctx: StepContext) -> Settle:
    """BUILDING -> NONE and reserved -> used, with the step's own *done*."""
    cost = order(ctx).cost
    said = ctx.output(apply_modules).get("said", {})
    has_root = restoring.wanted(ctx) and restoring.has_root(ctx)

    def work(tx: orm.Session) -> None:
        modules.answered(tx, ctx.object_id, said)
        if has_root:  # as whoever had it told in the instance of before
            root.inherit(tx, ctx.object_id, ctx.context)
        instances.move(tx, ctx.object_id, states.Task.NONE)
        instances.changes(tx, ctx.object_id, was_active=True, updated=now(tx))
        quotas.settle(tx, ctx.operation.project, cost)

    return Settle(work)


def failed(ctx: StepContext, tx: orm.Session, fault: str) -> None:
    """The row stays with its fault, owning nothing; the quota is given back."""
    quotas.release(tx, ctx.operation.project, order(ctx).cost)
    modules.given_up(tx, ctx.object_id, fault)
    row = instances.get(tx, ctx.object_id)
    if row is None:
        return
    if row.task == states.Task.BUILDING:
        instances.move(tx, ctx.object_id, states.Task.FAILED)
    instances.changes(
        tx,
        ctx.object_id,
        fault=fault,
        fault_at=now(tx),
        server_id=None,
        port_id=None,
        volume_id=None if not row.was_active else row.volume_id,
        addresses=None,
        updated=now(tx),
    )


def order(ctx: StepContext) -> operations.CreateInstance:
    """What was asked for, beside the row."""
    return operations.CreateInstance.from_dict(ctx.operation.input or {})


def _plan(ctx: StepContext) -> Plan:
    ordered, instance = order(ctx), ctx.instance()
    secrets = {
        "users": [
            {
                "name": user.name,
                "host": user.host,
                "password": user.password,
                "databases": list(user.databases),
            }
            for user in ordered.users
        ]
    }
    return Plan(
        datastore=ordered.datastore,
        version=ordered.version,
        memory=instance.ram,
        vcpus=ordered.vcpus,
        server_id=instance.server_number,
        device=ctx.settings.device if instance.volume_size else None,
        fstype=ctx.settings.fstype,
        copy=ctx.operation.id if ordered.kept else "",  # there must be data
        databases=tuple(
            DatabaseOrder(d.name, d.character_set, d.collate) for d in ordered.databases
        ),
        group=_group(ctx, instance.configuration_id),
        sealed=sealing.seal(ctx.output(wait_for_guest)["public_key"], secrets),
    )


def _group(ctx: StepContext, configuration: str | None) -> dict[str, typing.Any]:
    with ctx.claim.database.reading() as tx:
        return configurations.settings(tx, configuration)


MACHINE = (
    Step(make_security_group, undo=delete_security_group, within=minutes(5)),
    Step(make_ports, undo=delete_ports, within=minutes(5)),
    Step(
        make_public_address,
        undo=delete_public_address,
        within=minutes(5),
        wanted=is_public,
    ),
    Step(make_volume, undo=delete_volume, within=minutes(15), wanted=has_volume),
    Step(
        make_server_group,
        undo=delete_server_group,
        within=minutes(5),
        wanted=has_locality,
    ),
    Step(boot_server, undo=delete_server, within=minutes(20)),
    Step(wait_for_guest, within=minutes(15)),
)
"""A server with its guest, that is nothing yet; the broker's user is there before."""

FLOW = Flow(
    operations.CREATE,
    (
        Step(make_broker_user, undo=remove_broker_user, within=minutes(5)),
        Step(
            restoring.read_backup,
            undo=restoring.forget_list,
            within=minutes(15),
            wanted=restoring.wanted,
        ),
        *MACHINE,
        Step(restore_data, within=operations.RESTORES, wanted=restoring.wanted),
        Step(prepare_guest, within=minutes(30)),
        Step(wait_for_health, within=minutes(10)),
        Step(apply_modules, within=minutes(30), wanted=instance_modules.has_any),
        Step(settle),
    ),
    deadline=operations.DEADLINES[operations.CREATE],
    failed=failed,
)
