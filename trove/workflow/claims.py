# SPDX-License-Identifier: Apache-2.0
"""Claims: how a worker takes an operation, and writes only while it holds it.

Claiming is one UPDATE that raises the fence where no lease is held; every transaction
of a worker begins by renewing the lease under its own fence, and finds no row when
another took over (operations.md, rules 2 and 3). Time is the database's clock; between
two looks at it a worker counts with its own monotonic clock, from *before* the look.
"""

import dataclasses
import typing

import sqlalchemy as sa
from sqlalchemy import orm

from trove import errors
from trove.db.session import Database, now
from trove.db.tables import Operation
from trove.model.states import LIVE, OperationState, StepState
from trove.workflow import journal, statements

Work = typing.Callable[[orm.Session], None]

LET_GO: dict[str, typing.Any] = {"lease_until": None, "owner": None}
"""The columns of an operation that nobody carries."""


class Cancelled(errors.Conflict):
    """Somebody asked this operation to stop before it could end well."""

    sentence = "Operation {operation} was cancelled."


class Woken(errors.Conflict):
    """What an operation was to wait for has happened already."""

    sentence = "Operation {operation} was woken."


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
        self._later: list[Work] = []

    @property
    def id(self) -> str:
        return self.operation.id

    def now(self) -> float:
        """The database's clock, as well as it is known without asking."""
        return self._moment + (self._clock() - self._moment_at)

    def guard(self, seconds: float) -> None:
        """Makes sure that the lease outlives a call of that many seconds."""
        if self._clock() + seconds > self._renewed_at + self.lease:
            self.write()

    def later(self, work: Work) -> None:
        """Rows to change with the next write, whichever that is.

        For what may as well be lost, as by a crash right now: what a look outside
        would find again.
        """
        self._later.append(work)

    def write(
        self,
        work: Work | None = None,
        *,
        only_if_wanted: bool = False,
        unless_woken: float | None = None,
        **columns: typing.Any,
    ) -> None:
        """One fenced transaction; ``columns`` of the operation change with its lease.

        Raises ``LeaseLost``; ``Cancelled`` when ``only_if_wanted`` and a cancellation
        came first; ``Woken`` when it is to be due in ``unless_woken`` seconds and a
        wake-up came first.
        """
        before = self._clock()

        def fenced(tx: orm.Session) -> None:
            self._hold(tx, only_if_wanted, unless_woken, columns)
            for deed in self._later:
                deed(tx)
            if work is not None:
                work(tx)

        self.database.run(fenced)
        self._later.clear()
        self._renewed_at = before

    def _hold(
        self,
        tx: orm.Session,
        only_if_wanted: bool,
        unless_woken: float | None,
        columns: dict[str, typing.Any],
    ) -> None:
        waits = unless_woken is not None
        statement = statements.hold(tuple(sorted(columns)), only_if_wanted, waits)
        given = {f"new_{name}": value for name, value in columns.items()}
        given |= {"of": self.id, "mine": self.operation.fence}
        if waits:
            given |= {"seen": self._due_seen, "pause": unless_woken}
        if "lease_until" not in columns:
            given["lease"] = self.lease
        if matched(tx.execute(statement, given)):
            return
        row = tx.get(Operation, self.id, populate_existing=True)
        if row is not None and row.fence == self.operation.fence and row.state in LIVE:
            if waits:
                raise Woken(operation=self.id)
            if row.cancel:
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
            if following is not None:
                self._begin(tx, *following)
            else:
                self._ended(tx, OperationState.DONE, None)

        columns: dict[str, typing.Any] = {"pivot_passed": True} if pivot else {}
        if following is None:
            columns |= _ending(OperationState.DONE, None)
        elif self.operation.attempts:
            columns["attempts"] = 0
        wanted = not (pivot or self.operation.pivot_passed) and following is None
        self.write(change, only_if_wanted=wanted, **columns)
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
        return not self.steps[name].attempt and self.tries(name) == 1

    def tries(self, name: str) -> int:
        """Counts one more try of a step; how many that makes, in the same life."""
        given = {"of": self.id, "step": name}
        self.write(lambda tx: typing.cast(None, tx.execute(statements.COUNT, given)))
        self.steps[name].attempt += 1
        return self.steps[name].attempt

    def _begin(self, tx: orm.Session, name: str, seq: int) -> None:
        intent = {"operation_id": self.id, "name": name, "seq": seq}
        tx.execute(statements.BEGIN, intent | {"state": StepState.INTENT})
        self.steps[name] = StepRow(name, StepState.INTENT, self.now(), None)

    def _mark(
        self,
        tx: orm.Session,
        name: str,
        state: StepState,
        output: dict[str, typing.Any] | None,
    ) -> None:
        given = {"of": self.id, "step": name, "now_state": state, "now_output": output}
        tx.execute(statements.MARK, given)

    # -- the operation -------------------------------------------------------------

    def turn_back(self, fault: str) -> None:
        """From now on the operation is undone."""
        self.write(state=OperationState.UNDOING, fault=fault, attempts=0)
        self.operation.state = OperationState.UNDOING
        self.operation.fault = fault
        self.operation.attempts = 0

    def park(self, seconds: float, *, fault: str | None = None, failed: bool) -> bool:
        """Lets go until ``seconds`` from now; True when a wake-up came meanwhile.

        A wake-up that arrived while this worker held the lease has moved ``due``: it is
        not lost, the operation stays due now.
        """
        columns: dict[str, typing.Any] = dict(LET_GO)
        columns["attempts"] = self.operation.attempts + 1 if failed else 0
        if fault is not None:
            columns["fault"] = fault
        try:
            self.write(unless_woken=seconds, **columns)
        except Woken:
            self.write(**columns)
            return True
        return False

    def stick(self, fault: str) -> None:
        """Forward is not possible and back is not allowed: an operator must look."""
        self.write(state=OperationState.STUCK, fault=fault, **LET_GO)

    def fail(self, fault: str, work: Work | None) -> None:
        """The operation is over and undone; ``work`` is the row's last word."""

        def change(tx: orm.Session) -> None:
            if work is not None:
                work(tx)
            self._ended(tx, OperationState.FAILED, fault)

        self.write(change, **_ending(OperationState.FAILED, fault))

    def _ended(self, tx: orm.Session, state: OperationState, fault: str | None) -> None:
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


def _ending(state: OperationState, fault: str | None) -> dict[str, typing.Any]:
    """The columns of an operation that is over."""
    # the input may hold passwords: it goes with the operation
    return {"state": state, "fault": fault, "lock_key": None, "input": None, **LET_GO}


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
            return list(tx.scalars(statements.DUE, {"most": limit}))

    def take(self, operation_id: str) -> Claim | None:
        """Claims an operation; None when it is over, not due, or another's."""
        before = self._clock()
        given = {"of": operation_id, "by": self.owner, "lease": self.lease}

        def claim(tx: orm.Session) -> Claim | None:
            if not matched(tx.execute(statements.TAKE, given)):
                return None
            return self._hand(tx, operation_id, before)

        return self.database.run(claim)

    def _hand(self, tx: orm.Session, operation_id: str, before: float) -> Claim:
        given = {"of": operation_id}
        row, moment = tx.execute(statements.TAKEN, given).one()
        steps = {
            step.name: StepRow(*step)
            for step in tx.execute(statements.STEPS_SO_FAR, given)
        }
        tx.expunge_all()
        return Claim(
            self.database,
            row,
            steps,
            lease=self.lease,
            taken_at=before,
            moment=float(moment),
            clock=self._clock,
        )
