# SPDX-License-Identifier: Apache-2.0
"""A reboot of the server: in order if it hears, else without asking it.

That it happened is known by its agent alone, which counts its starts: a cloud says
ACTIVE before and after.
"""

from trove import errors
from trove.cloud.protocol import Server
from trove.db.tables import GuestReport
from trove.flows import ends, instance_configure
from trove.flows.context import StepContext
from trove.model import operations
from trove.model.states import Service, Task
from trove.workflow.flow import Flow, Settle, Step, Wait, minutes

PATIENCE = minutes(3)
"""Seconds for a server to shut down in order and its agent to be back."""

SETTLED = (Service.HEALTHY, Service.READ_ONLY, Service.STOPPED)


class NotRebooted(errors.Upstream):
    """The cloud has no such server, or its agent does not come back."""

    sentence = "The server was not rebooted: {why}."


def note_start(ctx: StepContext) -> dict[str, int]:
    """How often the agent had started before, and what the database was."""
    report = _report(ctx)
    return {"boot": report.boot if report else -1}


def reboot_server(ctx: StepContext) -> dict[str, bool] | Wait:
    """Asked to; it may not hear."""
    step = ctx.claim.steps["reboot_server"]
    if _started(ctx):
        return {"heard": True}
    if ctx.claim.now() - step.begun_at > PATIENCE:
        return {"heard": False}
    found = _server(ctx)
    if found.status == "REBOOT" or step.attempt:
        return Wait(5, f"server {found.id} is rebooting")
    if found.status != "ACTIVE":
        return {"heard": False}
    ctx.claim.guard(ctx.settings.call_timeout)
    ctx.cloud.compute.reboot(found.id)
    ctx.claim.once("reboot_server")
    return Wait(5, f"server {found.id} was asked to reboot")


def force_reboot(ctx: StepContext) -> dict[str, bool] | Wait:
    """Not asked: its power goes off and on. Data that were synced are there."""
    if ctx.output(reboot_server)["heard"] or _started(ctx):
        return {}
    found = _server(ctx)
    if found.status == "REBOOT" or ctx.claim.steps["force_reboot"].attempt:
        return Wait(5, f"server {found.id} is rebooting")
    ctx.claim.guard(ctx.settings.call_timeout)
    ctx.cloud.compute.reboot(found.id, hard=True)
    ctx.claim.once("force_reboot")
    return Wait(5, f"server {found.id} is made to reboot")


def wait_for_database(ctx: StepContext) -> dict[str, str] | Wait:
    """It is as it was: it serves, or it was stopped and is."""
    report = _report(ctx)
    if report is None or report.service not in SETTLED:
        return Wait(5, "the database is not healthy yet")
    return {"service": report.service}


def look_at_group(ctx: StepContext) -> dict[str, list[str]] | Wait:
    """Which values still wait: an agent may have started with those before."""
    if not ctx.instance().restart_required:
        return {"restart": []}
    return instance_configure.apply_group(ctx)


def settle(ctx: StepContext) -> Settle:
    """REBOOTING -> NONE; what needed a restart has had it, or says so still."""
    waiting = bool(ctx.output(look_at_group)["restart"])
    return ends.at_rest(ctx, restart_required=waiting)


def _report(ctx: StepContext) -> GuestReport | None:
    with ctx.claim.database.reading() as tx:
        return tx.get(GuestReport, ctx.object_id)


def _started(ctx: StepContext) -> bool:
    report = _report(ctx)
    return report is not None and report.boot > ctx.output(note_start)["boot"]


def _server(ctx: StepContext) -> Server:
    id = str(ctx.instance().server_id)
    found = ctx.cloud.compute.show(id)
    if found is None:
        raise NotRebooted(why=f"server {id} is gone")
    return found


FLOW = Flow(
    operations.REBOOT,
    (
        Step(note_start),
        Step(reboot_server, within=minutes(10)),
        Step(force_reboot, within=minutes(15)),
        Step(wait_for_database, within=minutes(30)),
        Step(look_at_group, within=minutes(10)),
        Step(settle),
    ),
    deadline=operations.DEADLINES[operations.REBOOT],
    failed=ends.failed(Task.REBOOTING),
)
