# SPDX-License-Identifier: Apache-2.0
"""The certificate that a user brought, in his running database; or what was before.

The guest tries it, and returns by itself to what it had when a new connection is not
shown it. There is nothing to undo here: what the guest keeps is what is true.
"""

import dataclasses

from sqlalchemy import orm

from trove import errors
from trove.db.queries import certificates
from trove.db.tables import Guest
from trove.flows import ends, guestjobs
from trove.flows.context import StepContext
from trove.model import operations
from trove.model.states import Task
from trove.rpc import sealing
from trove.rpc.messages import TlsOrder
from trove.workflow.flow import Flow, Settle, Step, Wait, minutes


def change_tls(ctx: StepContext) -> dict[str, str] | Wait:
    """Done when a new connection is shown the certificate."""
    done = guestjobs.carry(ctx, "change_tls", order=_order(ctx))
    if isinstance(done, Wait):
        return done
    return {name: str(done.get(name, ""))[:64] for name in ("mode", "fingerprint")}


def settle(ctx: StepContext) -> Settle:
    """UPDATING -> NONE; from now on its owner is told of the end of this one."""
    rest = ends.at_rest(ctx)
    found = str(ctx.output(change_tls).get("fingerprint", ""))

    def work(tx: orm.Session) -> None:
        rest.work(tx)
        certificates.in_force(tx, ctx.object_id, found)

    return dataclasses.replace(rest, work=work)


def _order(ctx: StepContext) -> TlsOrder:
    """The key leaves this process sealed for the guest."""
    asked = operations.ChangeSsl.from_dict(ctx.operation.input or {})
    if asked.back:
        return TlsOrder(back=True)
    with ctx.claim.database.reading() as tx:
        guest = tx.get(Guest, ctx.object_id)
    if guest is None or guest.public_key is None:
        raise errors.Upstream(why="the guest has not enrolled")
    secret = {"pair": asked.pair, "ca": asked.ca}
    return TlsOrder(asked.mode, False, sealing.seal(guest.public_key, secret))


FLOW = Flow(
    operations.SSL,
    (Step(change_tls, within=minutes(15)), Step(settle)),
    deadline=operations.DEADLINES[operations.SSL],
    failed=ends.failed(Task.UPDATING),
)
