# SPDX-License-Identifier: Apache-2.0
"""What a guest's job may carry by: signed requests, some at a time, as it wants them.

A guest says which number it has nothing for; what it is sent begins a little before
that, for what is on its way still. It is sent again whenever that is still said.
"""

import contextlib
import dataclasses
import typing

from trove import errors
from trove.db.tables import Archive, Backup, Guest, GuestJob
from trove.flows.context import StepContext
from trove.model.states import JobState
from trove.rpc import sealing
from trove.rpc.messages import Sealed
from trove.storage.backups import Names, Storage
from trove.storage.vault.protocol import LIST, Signed, Vault

TOGETHER = 64
"""Requests that are granted at once."""
BEFORE = 16
"""How many of them are of what was granted before."""
SECONDS = 900
"""How long each is good."""
ATTEMPTS = 3
"""How often a guest begins a job."""

Sign = typing.Callable[[int, int], Signed | None]
"""The request of an attempt for a number; None where there can be none."""


@dataclasses.dataclass(frozen=True, slots=True)
class Wish:
    """What a guest said that it has nothing for."""

    attempt: int
    number: int


def wish(job: GuestJob | None) -> Wish | None:
    """What a job that goes on waits for; a guest says what it likes."""
    if job is None or job.state != JobState.RUNNING:
        return None
    said = job.result or {}
    attempt, number = said.get("attempt"), said.get("want")
    if type(attempt) is not int or type(number) is not int:
        return None
    if not 1 <= attempt <= ATTEMPTS or not 0 <= number < 2 * LIST:
        return None
    return Wish(attempt, number)


def granted(ctx: StepContext, asked: Wish, sign: Sign) -> dict[str, typing.Any]:
    """What is sealed for the guest: requests from about that number on."""
    first = asked.number if asked.number >= LIST else max(0, asked.number - BEFORE)
    requests = []
    for number in range(first, first + TOGETHER):
        signed = sign(asked.attempt, number)
        if signed is None:
            break
        requests.append([signed.url, signed.headers])
    return {
        "serial": int(ctx.claim.now() * 1000),
        "attempt": asked.attempt,
        "first": first,
        "requests": requests,
        "authorities": ctx.settings.store_authorities,
    }


def allow(ctx: StepContext, job: str, asked: Wish | None, sign: Sign) -> None:
    """Sends what is wanted, if anything is."""
    if asked is None:
        return
    said = granted(ctx, asked, sign)
    if said["requests"]:
        ctx.claim.guard(ctx.settings.call_timeout)
        sealed = Sealed(sealing.seal(public_key(ctx), said))
        ctx.guest().allow(job=job, sealed=sealed)


def end(ctx: StepContext, job: str) -> None:
    """Tells a job that it will be granted nothing more."""
    said = {"serial": int(ctx.claim.now() * 1000), "first": 0, "requests": []}
    sealed = Sealed(sealing.seal(public_key(ctx), {**said, "over": True}))
    ctx.guest().allow(job=job, sealed=sealed)


def public_key(ctx: StepContext) -> str:
    """What secrets for the instance's guest are sealed with."""
    with ctx.claim.database.reading() as tx:
        guest = tx.get(Guest, ctx.object_id)
    if guest is None or guest.public_key is None:
        raise errors.Upstream(why="the guest has not enrolled")
    return guest.public_key


@contextlib.contextmanager
def vault(ctx: StepContext, of: Backup | Archive) -> typing.Iterator[Vault]:
    """The place of a backup or an archive, open as long as the block."""

    def before() -> None:
        ctx.claim.guard(ctx.settings.call_timeout)

    where = (of.driver, of.container, of.id)
    found = storage(ctx).vault(*where, before)
    with contextlib.closing(found):
        yield found


def names(row: Backup | Archive) -> Names:
    """What the objects of a backup or an archive are called."""
    return Names(row.project, row.id)


def storage(ctx: StepContext) -> Storage:
    """Where backups are; ``errors.Unsupported`` where nobody has said."""
    if ctx.storage is None:
        raise errors.Unsupported(what="Backups, which are not set up here,")
    return ctx.storage
