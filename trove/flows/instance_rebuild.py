# SPDX-License-Identifier: Apache-2.0
"""A server built anew over its data: another image, or another version of the engine.

The data are kept as they are before anything is changed (``guestagent/keeps.py``), and
the image of before is booted again over them whenever the new one does not make a
healthy database of them. What stays in one piece all the while is the volume, the port
with its address, and the server's id.

Where the new version does not take the files of the old one, the old one says all that
it has first, and the new one takes that (``Engine.unload`` and ``load``). The old one's
files are kept all the while, and afterwards: until the instance's owner says that he
does without them (``instance_discard.py``).
"""

import typing

from sqlalchemy import orm

from trove import errors
from trove.cloud.protocol import Refused, Server
from trove.db.queries import instances, modules
from trove.db.session import now
from trove.db.tables import Guest, GuestReport, Instance
from trove.flows import (
    archiving,
    ends,
    guestjobs,
    instance_configure,
    instance_modules,
    lent,
    things,
    userdata,
)
from trove.flows.context import StepContext
from trove.model import operations, states
from trove.rpc.messages import Plan
from trove.workflow.flow import Flow, Settle, Step, Wait, minutes

Done = dict[str, typing.Any] | Wait

GIVEN_UP = minutes(45)
"""Seconds of silence after which a guest is waited for no more; its cloud may take its
time for an image."""

UNTAKEN = minutes(10)
"""Seconds after which an order that no agent acknowledged is not sent again: a database
that is stopped for it does not wait for the step's own bound."""


class NotRebuilt(errors.Upstream):
    """The cloud did not do it, or there would be no way back."""

    sentence = "The server was not built anew: {why}."


def note_server(ctx: StepContext) -> dict[str, str]:
    """Which image it runs; one that the cloud has no more is no way back."""
    found = _server(ctx)
    if found.image is None or ctx.cloud.images.show(found.image) is None:
        raise NotRebuilt(why=f"the image that it runs ({found.image}) is gone")
    return {"image": found.image}


def stop_database(ctx: StepContext) -> Done:
    """In good order: what is kept then is whole."""
    done = guestjobs.carry(ctx, "stop_database")
    return done if isinstance(done, Wait) else {}


def start_as_before(ctx: StepContext) -> Wait | None:
    """It runs as it did, unless the server that came back has started it already."""
    if _going(ctx) or "rebuild_server" in ctx.claim.steps:
        return None
    return guestjobs.taken_back(ctx, "restart_database", GIVEN_UP)


def carries(ctx: StepContext) -> bool:
    """Whether the new version takes a copy of what the old one says."""
    return asked(ctx).carries


def unload_data(ctx: StepContext) -> Done:
    """Everything that the old version has, said by itself; nobody writes meanwhile."""
    done = guestjobs.carry(ctx, "unload_data", copy=ctx.operation.id)
    if not isinstance(done, Wait):
        return {}
    if guestjobs.untaken(ctx, "unload_data", UNTAKEN):
        raise NotRebuilt(
            why="its agent did not take the order to say all that the database has, as "
            "one of an older release does not: rebuild the instance with an image of "
            "its version and of this release, then upgrade it"
        )
    return done


def keep_data(ctx: StepContext) -> Done:
    """As they are, on the volume itself."""
    done = guestjobs.carry(ctx, "keep_data", copy=ctx.operation.id)
    return done if isinstance(done, Wait) else {}


def forget_data(ctx: StepContext) -> Wait | None:
    """Nothing was brought back from it, so nobody needs it."""
    if _going(ctx) or "rebuild_server" in ctx.claim.steps:
        return None
    return guestjobs.taken_back(ctx, "forget_data", GIVEN_UP, copy=ctx.operation.id)


def rebuild_server(ctx: StepContext) -> Done:
    """Its root is the new image's. Its guest enrols anew, as a new server's does."""
    input = asked(ctx)
    return _rebuilt(ctx, "on", input.image, input.bootstrap)


def return_server(ctx: StepContext) -> Wait | None:
    """The image of before, over the data as they were.

    Where that cannot be done the data are on the volume all the same, and the fault
    says what went wrong.
    """
    if _going(ctx):
        return None
    try:
        waits = _returned(ctx)
    except (NotRebuilt, guestjobs.JobFailed, Refused):
        return None
    lost = guestjobs.given_up(ctx, GIVEN_UP)
    return waits if isinstance(waits, Wait) and not lost else None


def _returned(ctx: StepContext) -> Done:
    guestjobs.announce(ctx, "prepare", "back")  # what is waited for begins now
    before, bootstrap = ctx.output(note_server)["image"], asked(ctx).returning
    done = _rebuilt(ctx, "back", before, bootstrap)
    if not isinstance(done, Wait):
        done = guestjobs.listening(ctx)
    if not isinstance(done, Wait):
        plan = _plan(ctx, back=True)
        done = guestjobs.carry(ctx, "prepare", turn="back", plan=plan)
    if not isinstance(done, Wait):
        done = _applied(ctx, "back")
    if not isinstance(done, Wait):
        said = done
        ctx.write(lambda tx: modules.answered(tx, ctx.object_id, said))
    return done


def wait_for_guest(ctx: StepContext) -> Done:
    """It has enrolled, and listens."""
    return guestjobs.listening(ctx)


def load_data(ctx: StepContext) -> Done:
    """The new version has everything, and has proved it; nobody reaches it yet."""
    done = guestjobs.carry(ctx, "load_data", plan=_plan(ctx, back=False))
    return done if isinstance(done, Wait) else {}


def prepare_guest(ctx: StepContext) -> Done:
    """The new engine runs with the data, and has made of them what it needs."""
    done = guestjobs.carry(ctx, "prepare", plan=_plan(ctx, back=False))
    return done if isinstance(done, Wait) else {}


def wait_for_health(ctx: StepContext) -> Done:
    """Only the write probe's word counts, not that of the job."""
    with ctx.claim.database.reading() as tx:
        report = tx.get(GuestReport, ctx.object_id)
    if report is None or report.service != states.Service.HEALTHY:
        said = report.service if report else "silent"
        return Wait(5, f"the database is {said}")
    return {}


def apply_modules(ctx: StepContext) -> Done:
    """What drivers did was on the root that is gone."""
    said = _applied(ctx, "")
    return said if isinstance(said, Wait) else {"said": said}


def accept(ctx: StepContext) -> Settle:
    """There is no way back from here on: it is of the new version."""
    version = asked(ctx).version_id
    said = ctx.output(apply_modules).get("said", {})

    def work(tx: orm.Session) -> None:
        modules.answered(tx, ctx.object_id, said)
        instances.changes(tx, ctx.object_id, version_id=version, updated=now(tx))

    return Settle(work)


def takes_files(ctx: StepContext) -> bool:
    """Whether the new version serves what the old one wrote: nothing of that is lost
    with the copy."""
    return not carries(ctx)


def drop_copy(ctx: StepContext) -> Done:
    """The data as they were are nobody's need any more; a guest that cannot, keeps
    them."""
    try:
        done = guestjobs.carry(ctx, "forget_data", copy=ctx.operation.id)
    except guestjobs.JobFailed as failed:
        return {"kept": str(failed)}
    if isinstance(done, Wait) and guestjobs.unheard(ctx, GIVEN_UP):
        return {"kept": "the guest does not answer"}
    return done if isinstance(done, Wait) else {}


def settle(ctx: StepContext) -> Settle:
    """UPGRADING, or REBUILDING -> NONE."""
    return ends.at_rest(ctx, restart_required=False)


def failed(ctx: StepContext, tx: orm.Session, fault: str) -> None:
    """It has the version it had; the fault says what did not work, and what is kept."""
    row = instances.get(tx, ctx.object_id)
    if row is None:
        return
    if row.task in (states.Task.UPGRADING, states.Task.REBUILDING):
        instances.move(tx, ctx.object_id, states.Task.NONE)
    if "rebuild_server" in ctx.claim.steps:
        fault += (
            f" (What it had made of the data is in .trove-kept/{ctx.operation.id}-"
            "failed on the volume.)"
        )
    moment = now(tx)
    instances.changes(tx, row.id, fault=fault, fault_at=moment, updated=moment)


def asked(ctx: StepContext) -> operations.RebuildInstance:
    """The image and the version that it leads to."""
    return operations.RebuildInstance.from_dict(ctx.operation.input or {})


# -- inside -------------------------------------------------------------------------


def _rebuilt(ctx: StepContext, way: str, image: str, bootstrap: str) -> Done:
    """The server runs this image, by this operation's order."""
    found, mark = _server(ctx), f"{ctx.operation.id}-{way}"
    if found.mark == mark and found.status == "ACTIVE":
        return {"server": found.id}
    if found.moving:
        return ctx.again(f"server {found.id} is {found.status}")
    if found.mark == mark:
        raise NotRebuilt(why=found.fault or f"server {found.id} is {found.status}")
    _dismiss(ctx, bootstrap)
    row = ctx.instance()
    text = userdata.render(
        ctx.settings,
        row.id,
        ctx.version(row).manager,
        bootstrap,
        _virtual(ctx, row),
        several=ctx.ledger.row(ctx.key(things.MANAGEMENT)) is not None,
    )
    ctx.claim.guard(ctx.settings.call_timeout)
    ctx.cloud.compute.rebuild(found.id, image, text, mark)
    return ctx.again(f"server {found.id} is built anew")


def _virtual(ctx: StepContext, row: Instance) -> userdata.Virtual | None:
    """What a guest with addresses of a user's port is told of them again."""
    if not lent.addresses(row):
        return None
    port = ctx.cloud.network.show_port(things.own_port(ctx))
    if port is None:
        raise NotRebuilt(why="its port is gone")
    return lent.virtual(row, port.mac)


def _dismiss(ctx: StepContext, bootstrap: str) -> None:
    """The guest that comes may enrol; what the one that goes knows is good no more.

    What that one may still report is older than all that the new one will say.
    """

    def forget(tx: orm.Session) -> None:
        for table in (Guest, GuestReport):
            row = tx.get(table, ctx.object_id)
            if row is not None:
                tx.delete(row)
        tx.flush()
        archiving.rebuilt(tx, ctx.object_id)

    ctx.write(forget)
    ctx.claim.guard(ctx.settings.call_timeout)
    ctx.users.add_guest(ctx.object_id, bootstrap)


def _applied(ctx: StepContext, turn: str) -> instance_modules.Said | Wait:
    with ctx.claim.database.reading() as tx:
        had = modules.of_instance(tx, ctx.object_id, hidden=True)
    ids = [one.shown.row.id for one in had]
    return instance_modules.applied(ctx, ids, turn)


def _plan(ctx: StepContext, back: bool) -> Plan:
    """Nobody and nothing is to be made: databases and users are on the volume."""
    row, input = ctx.instance(), asked(ctx)
    group = instance_configure.group(ctx, row.ram, row.vcpus)
    return Plan(
        datastore=ctx.version(row).manager,
        version=ctx.version(row).number if back else input.version,
        memory=row.ram,
        vcpus=row.vcpus or 1,
        server_id=row.server_number,
        device=ctx.settings.device,
        fstype=ctx.settings.fstype,
        copy=ctx.operation.id,
        back=back,
        group=group.values,
    )


def _server(ctx: StepContext) -> Server:
    id = str(ctx.instance().server_id)
    found = ctx.cloud.compute.show(id)
    if found is None:
        raise NotRebuilt(why=f"server {id} is gone")
    if found.status == "VERIFY_RESIZE":
        raise NotRebuilt(why=f"server {id} is in the middle of a resize")
    return found


def _going(ctx: StepContext) -> bool:
    """Whether a delete waits for this to end: it takes a server as it is."""
    return ctx.instance().task == states.Task.DELETING


STEPS = (
    Step(note_server, within=minutes(5)),
    Step(stop_database, undo=start_as_before, within=minutes(20)),
    Step(unload_data, undo=forget_data, within=minutes(370), wanted=carries),
    Step(keep_data, undo=forget_data, within=minutes(65)),
    Step(rebuild_server, undo=return_server, within=minutes(20)),
    Step(wait_for_guest, within=minutes(15)),
    Step(load_data, within=minutes(730), wanted=carries),
    Step(prepare_guest, within=minutes(45)),
    Step(wait_for_health, within=minutes(10)),
    Step(apply_modules, within=minutes(30), wanted=instance_modules.has_any),
    Step(accept, pivot=True),
    Step(drop_copy, within=minutes(40), wanted=takes_files),
    Step(settle),
)

SAME_VERSION = tuple(step for step in STEPS if step.wanted is not carries)

UPGRADE, REBUILD = (
    Flow(kind, steps, deadline=operations.DEADLINES[kind], failed=failed)
    for kind, steps in ((operations.UPGRADE, STEPS), (operations.REBUILD, SAME_VERSION))
)
