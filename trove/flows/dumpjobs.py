# SPDX-License-Identifier: Apache-2.0
"""What an export and an import have in common: a container that is lent, and a guest
that may be silent, or of an older release."""

import contextlib
import typing

from trove import errors
from trove.flows import granting, guestjobs
from trove.flows.context import StepContext
from trove.model.states import JobState
from trove.storage.lent import Container, Place

Signing = typing.Callable[[Container], granting.Sign]


def refuse_silent(ctx: StepContext, method: str, what: str) -> None:
    """Raises for a guest that is waited for in vain."""
    guestjobs.refuse_old(ctx, method, what)
    guestjobs.refuse_silent(ctx)


def allow(
    ctx: StepContext, method: str, place: dict[str, str], signing: Signing
) -> None:
    """Sends what the job wants, if it wants anything."""
    job = guestjobs.job(ctx, method)
    asked = granting.wish(job)
    if job is not None and asked is not None:
        with container(ctx, place) as there:
            granting.allow(ctx, job.id, asked, signing(there))


def end(ctx: StepContext, method: str) -> bool:
    """The job has no use any more; whether it goes on all the same."""
    job = guestjobs.job(ctx, method)
    if job is None or job.state in (JobState.DONE, JobState.FAILED):
        return False
    with contextlib.suppress(errors.Unavailable):
        granting.end(ctx, job.id)
    return job.state == JobState.RUNNING


@contextlib.contextmanager
def container(ctx: StepContext, place: dict[str, str]) -> typing.Iterator[Container]:
    """What was lent, open as long as the block."""

    def before() -> None:
        ctx.claim.guard(ctx.settings.call_timeout)

    with contextlib.closing(ctx.borrow(Place(**place), before)) as there:
        yield there
