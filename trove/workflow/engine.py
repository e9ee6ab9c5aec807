# SPDX-License-Identifier: Apache-2.0
"""The engine: carries a claimed operation forward, or back, or parks it.

It knows nothing of databases or clouds. What it decides, it decides from the rows: a
worker that dies is replaced by another that reads the same rows. Errors are sorted by
family (operations.md, table of classes): passing ones are tried again with full jitter,
final ones turn the operation back while that is possible (before the pivot).
"""

import logging
import random
import typing

from sqlalchemy import orm

from trove import errors
from trove.model.states import OperationState, StepState
from trove.workflow.claims import Cancelled, Claim, Claims
from trove.workflow.flow import Flow, Settle, Step, Wait

LOG = logging.getLogger(__name__)

LONGEST_PAUSE = 60.0
SURPRISES = 3
"""How often an error that nobody foresaw is tried again before it counts as final."""

ALARM_AFTER = 3600.0
"""Seconds of undoing after which an operator is called."""

Contexts = typing.Callable[[Claim], typing.Any]
Passing = typing.Callable[[BaseException], float | None]
"""Seconds the other side asked to wait (0: it did not say), or None: not passing."""


class Parked(typing.NamedTuple):
    """An operation was let go: when it is due again, in seconds from now."""

    seconds: float


class Engine:
    """Runs operations of the given flows.

    ``contexts`` makes what a step is handed; ``passing`` tells a passing fault.
    """

    def __init__(
        self,
        claims: Claims,
        flows: typing.Mapping[str, Flow],
        contexts: Contexts,
        passing: Passing,
        jitter: typing.Callable[[], float] = random.random,
    ) -> None:
        self._claims, self._flows = claims, flows
        self._contexts, self._passing = contexts, passing
        self._jitter = jitter

    def run(self, operation_id: str) -> Parked | None:
        """Carries an operation as far as it goes now.

        None: it is over, or another's. Raises nothing but what ends the process.
        """
        claim = self._claims.take(operation_id)
        if claim is None:
            return None
        flow = self._flows.get(claim.operation.kind)
        try:
            if flow is None:
                claim.stick(f"no flow is known for kind {claim.operation.kind}")
                return None
            return self._carry(claim, flow)
        except errors.LeaseLost:
            LOG.warning("operation %s: taken over by another worker", operation_id)
            return None

    def _carry(self, claim: Claim, flow: Flow) -> Parked | None:
        ctx = self._contexts(claim)
        if claim.operation.state == OperationState.UNDOING:
            return self._backward(claim, flow, ctx)
        try:
            return self._forward(claim, flow, ctx)
        except Cancelled as cancelled:
            return self._turn_back(claim, flow, ctx, cancelled.message)

    # -- forward -------------------------------------------------------------------

    def _forward(self, claim: Claim, flow: Flow, ctx: typing.Any) -> Parked | None:
        reached = flow.place(claim.steps)
        for seq, step in enumerate(flow.steps):
            row = claim.steps.get(step.name)
            if row is not None and row.state == StepState.DONE:
                continue
            if row is None and seq < reached:  # it was passed over
                continue
            self._check(claim)
            if row is None:
                claim.begin(step.name, seq)
                self._say(claim, "begins", step)
            parked = self._step(claim, flow, ctx, seq, step)
            if parked is not None or claim.operation.state != OperationState.RUNNING:
                return parked
            reached = flow.place(claim.steps)
        return None

    def _check(self, claim: Claim) -> None:
        """Raises when the operation is not wanted any more, or overdue."""
        operation = claim.operation
        if operation.cancel:
            raise Cancelled(operation=operation.id)
        if not operation.pivot_passed and claim.now() > operation.deadline:
            raise Cancelled("The operation did not end before its deadline.")

    def _step(
        self,
        claim: Claim,
        flow: Flow,
        ctx: typing.Any,
        seq: int,
        step: Step,
    ) -> Parked | None:
        try:
            outcome = step.do(ctx)
            if isinstance(outcome, Wait):
                self._within(claim, step, outcome)
                return self._park(claim, outcome.seconds)
            following = flow.after(seq, ctx)
            self._advance(claim, step, outcome, following)
        except (errors.LeaseLost, Cancelled):
            raise
        except Exception as fault:  # the one place that sorts every error
            return self._fault(claim, flow, ctx, step, fault)
        if following is None:
            claim.operation.state = OperationState.DONE
            LOG.info("operation %s: %s is done", claim.id, flow.kind)
        return None

    def _advance(
        self,
        claim: Claim,
        step: Step,
        outcome: "dict[str, typing.Any] | Settle | None",
        following: tuple[str, int] | None,
    ) -> None:
        settle = outcome if isinstance(outcome, Settle) else Settle(_nothing, outcome)
        claim.advance(
            step.name,
            settle.output,
            work=settle.work,
            following=following,
            pivot=step.pivot,
        )
        if following is not None:
            LOG.info("operation %s: %s", claim.id, following[0])

    def _within(self, claim: Claim, step: Step, wait: Wait) -> None:
        begun = claim.steps[step.name].begun_at
        if step.within is not None and claim.now() - begun > step.within:
            raise OutOfTime(
                f"{step.name} did not end in {step.within:.0f} s: {wait.why}"
            )

    def _fault(
        self, claim: Claim, flow: Flow, ctx: typing.Any, step: Step, fault: Exception
    ) -> Parked | None:
        operation = claim.operation
        text = f"{step.name}: {fault}"
        asked = self._passing(fault)
        known = isinstance(fault, errors.TroveError)
        if asked is None and not known:
            LOG.error("operation %s: %s", operation.id, text, exc_info=fault)
        if asked is not None:
            try:
                self._within(claim, step, Wait(0, str(fault)))
            except OutOfTime:
                asked = None
        surprise = asked is None and not known and operation.attempts < SURPRISES
        if asked is not None or surprise:
            return self._again(claim, text, asked or 0.0)
        if not operation.pivot_passed:
            return self._turn_back(claim, flow, ctx, text)
        if claim.now() > operation.deadline:
            LOG.error("operation %s: stuck: %s", operation.id, text)
            claim.stick(text)
            operation.state = OperationState.STUCK
            return None
        return self._again(claim, text, 0.0)

    def _again(self, claim: Claim, text: str, asked: float) -> Parked | None:
        pause = self._pause(claim, asked)
        LOG.warning("operation %s: %s; again in %.1f s", claim.id, text, pause)
        return self._park(claim, pause, fault=text, failed=True)

    def _pause(self, claim: Claim, asked: float) -> float:
        """Full jitter, 1 to 60 s, never less than the other side asked for."""
        ceiling = min(LONGEST_PAUSE, 2.0 ** min(claim.operation.attempts + 1, 10))
        return max(asked, 1.0 + self._jitter() * (ceiling - 1.0))

    # -- backward ------------------------------------------------------------------

    def _turn_back(
        self, claim: Claim, flow: Flow, ctx: typing.Any, fault: str
    ) -> Parked | None:
        if claim.operation.pivot_passed:
            # only a delete cancels after the pivot: what is there, it removes
            self._fail(claim, flow, ctx, fault)
            return None
        LOG.warning("operation %s: %s turns back: %s", claim.id, flow.kind, fault)
        claim.turn_back(fault)
        return self._backward(claim, flow, ctx)

    def _backward(self, claim: Claim, flow: Flow, ctx: typing.Any) -> Parked | None:
        for step in reversed(flow.steps):
            row = claim.steps.get(step.name)
            if row is None or row.state == StepState.UNDONE:
                continue
            if step.undo is not None:
                try:
                    outcome = step.undo(ctx)
                except (errors.LeaseLost, Cancelled):
                    raise
                except Exception as fault:  # undo is tried for ever (rule 7)
                    return self._undo_again(claim, step, fault)
                if isinstance(outcome, Wait):
                    return self._park(claim, outcome.seconds)
            claim.undone(step.name)
            LOG.info("operation %s: %s is undone", claim.id, step.name)
        self._fail(claim, flow, ctx, claim.operation.fault or "cancelled")
        return None

    def _undo_again(self, claim: Claim, step: Step, fault: Exception) -> Parked | None:
        asked = self._passing(fault)
        if claim.now() > claim.operation.deadline + ALARM_AFTER:
            LOG.critical("operation %s: cannot undo %s: %s", claim.id, step.name, fault)
        elif asked is None:
            LOG.error("operation %s: undo %s", claim.id, step.name, exc_info=fault)
        pause = self._pause(claim, asked or 0.0)
        return self._park(claim, pause, failed=True)

    def _fail(self, claim: Claim, flow: Flow, ctx: typing.Any, fault: str) -> None:
        last_word = flow.failed

        def work(tx: orm.Session) -> None:
            if last_word is not None:
                last_word(ctx, tx, fault)

        claim.fail(fault, work)
        claim.operation.state = OperationState.FAILED
        LOG.warning("operation %s: %s failed: %s", claim.id, flow.kind, fault)

    def _park(
        self,
        claim: Claim,
        seconds: float,
        *,
        fault: str | None = None,
        failed: bool = False,
    ) -> Parked:
        woken = claim.park(seconds, fault=fault, failed=failed)
        return Parked(0.0 if woken else seconds)

    def _say(self, claim: Claim, what: str, step: Step) -> None:
        LOG.info("operation %s: %s (%s)", claim.id, step.name, what)


class OutOfTime(errors.Upstream):
    """A step stayed unfinished for too long."""

    def __init__(self, message: str) -> None:
        super().__init__(message)


def _nothing(tx: orm.Session) -> None:
    """A step without rows of its own."""
