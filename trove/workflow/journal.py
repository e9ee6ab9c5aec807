# SPDX-License-Identifier: Apache-2.0
"""The journal, as those see it who accept work: open, cancel, wake, and events.

Every function takes the caller's own transaction, so that an operation, the row it is
about, the quota and the event are one commit (operations.md, rule 1). The worker's side
is ``workflow/claims.py``.
"""

import hashlib
import json
import typing
import uuid

import sqlalchemy as sa
from sqlalchemy import orm

from trove import errors
from trove.db import dialects
from trove.db.session import epoch_now
from trove.db.tables import Operation
from trove.model.states import LIVE, OperationState
from trove.workflow import statements

Transaction = orm.Session


def body_hash(body: typing.Any) -> str:
    """The SHA-256 of a body's canonical JSON; an Idempotency-Key is checked with it."""
    text = json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode("ascii")).hexdigest()


def lock_of(object_type: str, object_id: str) -> str:
    """The lock that at most one live operation holds on an object (INV-7)."""
    return f"{object_type}:{object_id}"


def open(
    tx: Transaction,
    *,
    kind: str,
    project: str,
    object_type: str,
    object_id: str,
    input: dict[str, typing.Any] | None,
    deadline: float,
    request_id: str | None,
    user: str | None = None,
    client_token: str | None = None,
    body_hash: str | None = None,
    after: str | None = None,
    version: int = 1,
) -> str:
    """Writes a new operation down, due at once; answers its id.

    ``deadline`` is in seconds from now. ``after`` is a live operation (just cancelled
    in this transaction) that this one waits for. Raises ``errors.InstanceBusy`` when
    another live operation holds the object and ``after`` does not name it.
    """
    if after is None and live(tx, object_type, object_id) is not None:
        raise errors.InstanceBusy(instance=object_id, task="busy")
    operation = Operation(
        id=str(uuid.uuid4()),
        project=project,
        object_type=object_type,
        object_id=object_id,
        kind=kind,
        version=version,
        input=input,
        request_id=request_id,
        user=user,
        client_token=client_token,
        sealed_hash=body_hash,
        lock_key=None if after else lock_of(object_type, object_id),
        after=after,
        **_unborn(deadline),
    )
    tx.add(operation)
    try:
        tx.flush()
    except dialects.Violated as twin:
        # two requests at once: the unique lock (or token) decides, not a read
        raise errors.InstanceBusy(instance=object_id, task="busy") from twin
    return operation.id


def _unborn(deadline: float) -> dict[str, typing.Any]:
    """The columns of an operation that nobody has touched: due at once."""
    moment = epoch_now()
    return {
        "state": OperationState.PENDING,
        "cancel": False,
        "due": moment,
        "deadline": moment + deadline,
        "pivot_passed": False,
        "fence": 0,
        "attempts": 0,
        "created": moment,
        "updated": moment,
    }


def live(tx: Transaction, object_type: str, object_id: str) -> Operation | None:
    """The operation that holds the object now, if any."""
    return tx.scalar(
        sa.select(Operation).where(
            Operation.lock_key == lock_of(object_type, object_id)
        )
    )


def queued(tx: Transaction, operation_id: str) -> Operation | None:
    """The operation that waits for this one to end, if any."""
    return tx.scalar(statements.FOLLOWER, {"of": operation_id})


def cancel(tx: Transaction, operation_id: str) -> bool:
    """Asks a live operation to stop and undo; False when it has ended already.

    The update takes the row, so whoever ends the operation comes before or after the
    caller's whole transaction, never between.
    """
    result = tx.execute(
        sa.update(Operation)
        .where(
            Operation.id == operation_id,
            Operation.state.in_([*LIVE, OperationState.STUCK]),
        )
        .values(
            cancel=True,
            due=epoch_now(),
            updated=epoch_now(),
            # a stuck one comes back to life, to end
            state=sa.case(
                (Operation.state == OperationState.STUCK, OperationState.RUNNING),
                else_=Operation.state,
            ),
        )
        .execution_options(synchronize_session=False)
    )
    return bool(typing.cast(sa.CursorResult[typing.Any], result).rowcount)


def wake(tx: Transaction, operation_id: str) -> None:
    """What an operation waits for has happened: it is due now."""
    tx.execute(statements.WAKE, {"of": operation_id})


def wake_object(tx: Transaction, object_type: str, object_id: str) -> str | None:
    """Wakes the live operation of an object; answers its id, for the bell."""
    held = {"lock": lock_of(object_type, object_id)}
    holder = tx.execute(statements.HOLDER, held).scalar_one_or_none()
    if holder is not None:
        wake(tx, holder)
    return holder


def replayed(
    tx: Transaction, project: str, client_token: str, hash: str
) -> Operation | None:
    """The operation that an Idempotency-Key made before, if any (INV-8).

    Raises ``errors.IdempotencyMismatch`` when the body was another.
    """
    earlier = tx.scalar(
        sa.select(Operation).where(
            Operation.project == project, Operation.client_token == client_token
        )
    )
    if earlier is not None and (earlier.sealed_hash or earlier.body_hash) != hash:
        raise errors.IdempotencyMismatch()
    return earlier


def event(
    tx: Transaction,
    object_id: str,
    kind: str,
    payload: dict[str, typing.Any] | None = None,
    request_id: str | None = None,
) -> None:
    """Adds an object's next event; the sequence has no gap (INV-19).

    The object's first event is the lock of its sequence: whoever writes the next one
    holds it until the end of the transaction. Two that write the *first* at once both
    insert number 1, and ``Database.run`` tries the loser again.
    """
    whose = {"whose": object_id}
    tx.execute(statements.FIRST_EVENT, whose)
    # a statement of its own: the one that waited still sees what was before its wait
    last = tx.execute(statements.LAST_EVENT, whose).scalar_one()
    happened = {"object_id": object_id, "seq": (last or 0) + 1, "kind": kind}
    happened |= {"payload": payload, "request_id": request_id}
    tx.execute(statements.HAPPENED, happened)
