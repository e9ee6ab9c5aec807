# SPDX-License-Identifier: Apache-2.0
"""Claims: how a worker takes an operation, and writes only while it holds it.

Claiming is a compare-and-set on the fence; every transaction of a worker begins by
renewing the lease under its own fence, and finds no row when another took over
(operations.md, rules 2 and 3). Time is the database's clock; between two looks at it a
worker counts with its own monotonic clock, from *before* the look.
"""

import dataclasses
import typing

import sqlalchemy as sa
from sqlalchemy import orm

from trove import errors
from trove.db.session import Database, epoch_now, now
from trove.db.tables import Operation, OperationStep
from trove.model.states import LIVE, OperationState, StepState
from trove.workflow import journal

Work = typing.Callable[[orm.Session], None]


class Cancelled(errors.Conflict):
    """Somebody asked this operation to stop before it could end well."""

    sentence = "Operation {operation} was cancelled."


@dataclasses.dataclass(slots=True)
class StepRow:
    """What the journal knows of one step."""

    name: str
    state: str
    begun_at: float
    output: dict[str, typing.Any] | None
    attempt: int = 0


def matched(result: typing.Any) -> int:
    """How many rows an UPDATE matched."""
    return int(typing.cast("sa.CursorResult[typing.Any]", result).rowcount)


class Claim:
    """One operation in a worker's hand, for as long as its fence is the highest."""

    def __init__(
        self,
        database: Database,
        operation: Operation,
        steps: dict[str, StepRow],
        *,
        lease: float,
        taken_at: float,
        moment: float,
        clock: typing.Callable[[], float],
    ) -> None:
        self.database = database
        self.operation = operation
        self.steps = steps
        self.lease = lease
        self._clock = clock
        self._renewed_at = taken_at
        self._moment = moment
        self._moment_at = taken_at
        self._due_seen = operation.due

    @property
    def id(self) -> str:
        return self.operation.id

    def now(self) -> float:
        """The database's clock, as well as it is known without asking."""
        return self._moment + (self._clock() - self._moment_at)

    def guard(self, seconds: float) -> None:
        """Makes sure that the lease outlives a call of that many seconds."""
        if self._clock() + seconds > self._renewed_at + self.lease:
            self.write(lambda tx: None)

    def write(self, work: Work, *, only_if_wanted: bool = False) -> None:
        """One fenced transaction. Raises ``LeaseLost``, or ``Cancelled`` when
        ``only_if_wanted`` and a cancellation came first."""
        before = self._clock()

        def fenced(tx: orm.Session) -> None:
            self._hold(tx, only_if_wanted)
            work(tx)

        self.database.run(fenced)
        self._renewed_at = before

    def _hold(self, tx: orm.Session, only_if_wanted: bool = False) -> None:
        held = sa.update(Operation).where(
            Operation.id == self.id,
            Operation.fence == self.operation.fence,
            Operation.state.in_(LIVE),
        )
        if only_if_wanted:
            held = held.where(Operation.cancel.is_(False))
        held = held.values(lease_until=epoch_now() + self.lease, updated=epoch_now())
        held = held.execution_options(synchronize_session=False)
        if matched(tx.execute(held)):
            return
        row = tx.get(Operation, self.id, populate_existing=True)
        if row is not None and row.fence == self.operation.fence and row.cancel:
            raise Cancelled(operation=self.id)
        raise errors.LeaseLost(operation=self.id)

    # -- steps ---------------------------------------------------------------------

    def begin(self, name: str, seq: int) -> None:
        """Writes the intent of a step, before it acts."""
        self.write(lambda tx: self._begin(tx, name, seq))

    def advance(
        self,
        name: str,
        output: dict[str, typing.Any] | None,
        *,
        work: Work | None = None,
        following: tuple[str, int] | None = None,
        pivot: bool = False,
    ) -> None:
        """A step's *done*, its rows, and the next step's intent, in one transaction.

        Without ``following`` the operation ends *done* in the same transaction, unless
        it was cancelled meanwhile: then ``Cancelled`` is raised and nothing is written.
        """

        def change(tx: orm.Session) -> None:
            self._mark(tx, name, StepState.DONE, output)
            if work is not None:
                work(tx)
            if pivot:
                self._set(tx, pivot_passed=True)
            if following is not None:
                self._set(tx, attempts=0)
                self._begin(tx, *following)
            else:
                self._end(tx, OperationState.DONE, None)

        wanted = not (pivot or self.operation.pivot_passed)
        self.write(change, only_if_wanted=wanted and following is None)
        row = self.steps[name]
        row.state, row.output = StepState.DONE, output
        self.operation.pivot_passed = self.operation.pivot_passed or pivot
        if following is not None:
            self.operation.attempts = 0

    def undone(self, name: str) -> None:
        """A step was taken back."""
        self.write(lambda tx: self._mark(tx, name, StepState.UNDONE, None))
        self.steps[name].state = StepState.UNDONE

    def once(self, name: str) -> bool:
        """True the first time it is asked of a step, in the operation's whole life."""
        row = self.steps[name]
        if row.attempt:
            return False
        counted = (
            sa.update(OperationStep)
            .where(OperationStep.operation_id == self.id, OperationStep.name == name)
            .values(attempt=1)
            .execution_options(synchronize_session=False)
        )
        self.write(lambda tx: typing.cast(None, tx.execute(counted)))
        row.attempt = 1
        return True

    def _begin(self, tx: orm.Session, name: str, seq: int) -> None:
        moment = now(tx)
        tx.add(
            OperationStep(
                operation_id=self.id,
                name=name,
                seq=seq,
                state=StepState.INTENT,
                begun_at=moment,
                attempt=0,
            )
        )
        tx.flush()
        self.steps[name] = StepRow(name, StepState.INTENT, moment, None)

    def _mark(
        self,
        tx: orm.Session,
        name: str,
        state: StepState,
        output: dict[str, typing.Any] | None,
    ) -> None:
        tx.execute(
            sa.update(OperationStep)
            .where(OperationStep.operation_id == self.id, OperationStep.name == name)
            .values(state=state, output=output)
            .execution_options(synchronize_session=False)
        )

    def _set(self, tx: orm.Session, **columns: typing.Any) -> None:
        tx.execute(
            sa.update(Operation)
            .where(Operation.id == self.id)
            .values(**columns)
            .execution_options(synchronize_session=False)
        )

    # -- the operation -------------------------------------------------------------

    def turn_back(self, fault: str) -> None:
        """From now on the operation is undone."""
        self.write(
            lambda tx: self._set(
                tx, state=OperationState.UNDOING, fault=fault, attempts=0
            )
        )
        self.operation.state = OperationState.UNDOING
        self.operation.fault = fault
        self.operation.attempts = 0

    def park(self, seconds: float, *, fault: str | None = None, failed: bool) -> bool:
        """Lets go until ``seconds`` from now; True when a wake-up came meanwhile.

        A wake-up that arrived while this worker held the lease has moved ``due``: it is
        not lost, the operation stays due now.
        """
        due = Operation.__table__.c.due
        attempts = self.operation.attempts + 1 if failed else 0
        values: dict[str, typing.Any] = {
            "due": sa.case((due == self._due_seen, epoch_now() + seconds), else_=due),
            "lease_until": None,
            "owner": None,
            "attempts": attempts,
        }
        if fault is not None:
            values["fault"] = fault
        woken = False

        def change(tx: orm.Session) -> None:
            nonlocal woken
            stored = tx.scalar(sa.select(due).where(Operation.id == self.id))
            woken = stored != self._due_seen
            self._set(tx, **values)

        self.write(change)
        return woken

    def stick(self, fault: str) -> None:
        """Forward is not possible and back is not allowed: an operator must look."""
        self.write(
            lambda tx: self._set(
                tx,
                state=OperationState.STUCK,
                fault=fault,
                lease_until=None,
                owner=None,
            )
        )

    def fail(self, fault: str, work: Work | None) -> None:
        """The operation is over and undone; ``work`` is the row's last word."""

        def change(tx: orm.Session) -> None:
            if work is not None:
                work(tx)
            self._end(tx, OperationState.FAILED, fault)

        self.write(change)

    def _end(self, tx: orm.Session, state: OperationState, fault: str | None) -> None:
        # the input may hold passwords: it goes with the operation
        self._set(
            tx,
            state=state,
            fault=fault,
            lock_key=None,
            lease_until=None,
            owner=None,
            input=None,
        )
        follower = journal.queued(tx, self.id)
        if follower is not None:
            follower.lock_key = journal.lock_of(
                follower.object_type, follower.object_id
            )
            follower.due = now(tx)
            tx.flush()
        ending = "end" if state == OperationState.DONE else "error"
        journal.event(
            tx,
            self.operation.object_id,
            f"{self.operation.kind}.{ending}",
            {"operation": self.id, **({"fault": fault} if fault else {})},
            self.operation.request_id,
        )


class Claims:
    """What is due, and the taking of it."""

    def __init__(
        self,
        database: Database,
        owner: str,
        *,
        lease: float,
        clock: typing.Callable[[], float],
    ) -> None:
        self.database, self.owner, self.lease = database, owner, lease
        self._clock = clock

    def due(self, limit: int = 100) -> list[str]:
        """Operations that may be claimed now, the longest due first."""
        with self.database.reading() as tx:
            return list(
                tx.scalars(
                    sa.select(Operation.id)
                    .where(*self._claimable())
                    .order_by(Operation.due)
                    .limit(limit)
                )
            )

    def take(self, operation_id: str) -> Claim | None:
        """Claims an operation; None when it is over, not due, or another's."""
        before = self._clock()
        taken: list[Claim] = []

        def claim(tx: orm.Session) -> None:
            taken.clear()
            row = tx.scalar(
                sa.select(Operation).where(
                    Operation.id == operation_id, *self._claimable()
                )
            )
            if row is None:
                return
            won = tx.execute(
                sa.update(Operation)
                .where(
                    Operation.id == operation_id,
                    Operation.fence == row.fence,
                    *self._claimable(),
                )
                .values(
                    owner=self.owner,
                    fence=Operation.fence + 1,
                    lease_until=epoch_now() + self.lease,
                    state=sa.case(
                        (
                            Operation.state == OperationState.PENDING,
                            OperationState.RUNNING,
                        ),
                        else_=Operation.state,
                    ),
                )
                .execution_options(synchronize_session=False)
            )
            if matched(won):
                taken.append(self._hand(tx, row, before))

        self.database.run(claim)
        return taken[0] if taken else None

    def _hand(self, tx: orm.Session, row: Operation, before: float) -> Claim:
        tx.refresh(row)
        steps = {
            step.name: StepRow(
                step.name, step.state, step.begun_at, step.output, step.attempt
            )
            for step in tx.scalars(
                sa.select(OperationStep).where(OperationStep.operation_id == row.id)
            )
        }
        moment = now(tx)
        tx.expunge_all()
        return Claim(
            self.database,
            row,
            steps,
            lease=self.lease,
            taken_at=before,
            moment=moment,
            clock=self._clock,
        )

    @staticmethod
    def _claimable() -> list[sa.ColumnElement[bool]]:
        return [
            Operation.state.in_(LIVE),
            Operation.due <= epoch_now(),
            Operation.lock_key.is_not(None),
            sa.or_(
                Operation.lease_until.is_(None), Operation.lease_until < epoch_now()
            ),
        ]
