# SPDX-License-Identifier: Apache-2.0
"""A backup: the guest brings the data in parts, and the control plane counts them.

What a guest says of a backup is worth nothing. Its place is shut, what the store itself
lists is compared with the guest's list, and only then is the manifest written and
signed: COMPLETED is a backup that is all there (INV-10, T23).
"""

import contextlib
import logging
import os
import typing

from sqlalchemy import orm

from trove import errors
from trove.datastores import registry
from trove.db.queries import backups, root, verifications
from trove.db.session import now
from trove.db.tables import Backup
from trove.flows import afterwards, granting, guestjobs, rowhashes, snapshotting
from trove.flows.context import StepContext
from trove.flows.granting import Wish
from trove.model import operations
from trove.model.backups import RUNNING, SNAPSHOT, BackupState
from trove.model.states import JobState
from trove.rpc import sealing
from trove.rpc.messages import BackupOrder
from trove.storage import frames, manifest
from trove.storage.backups import Names
from trove.storage.keys import Wrapped
from trove.storage.manifest import Manifest
from trove.storage.vault.protocol import LIST, ROWS, Signed, Vault
from trove.workflow.flow import Flow, Settle, Step, Wait, minutes

LOG = logging.getLogger(__name__)

PATIENT = 5
"""How often a store that is away is asked to take back what is of no use: for about
half a minute."""
WORDS, LONGEST = 32, 1024
"""How many words of an engine's are kept, and the characters of one."""
LARGEST = 2**53
"""Bytes: more is no size."""


class NoIncrement(errors.Upstream):
    """What a backup was to stand on has no increments any more."""

    sentence = "Backup {parent} has no increments any more: {why}"


class NotWhole(errors.Upstream):
    """What is in the store is not what the guest says that it brought."""

    sentence = "The backup is not whole: {why}."


def make_place(ctx: StepContext) -> Settle:
    """The place is there, and the backup's key; neither of one that is a snapshot."""
    row = backup(ctx)
    if row.driver == SNAPSHOT:
        return Settle(
            lambda tx: typing.cast(
                None, backups.move(tx, row.id, BackupState.BUILDING, RUNNING)
            )
        )
    with granting.vault(ctx, row) as vault:
        vault.ensure()
    wrapped = granting.storage(ctx).keys.wrap(row.project, os.urandom(frames.KEY))

    def work(tx: orm.Session) -> None:
        about = {"key": wrapped.key, "ring": wrapped.ring}
        backups.move(tx, row.id, BackupState.BUILDING, RUNNING, **about)

    return Settle(work)


def remove_place(ctx: StepContext) -> None:
    """Nothing of a backup that is none stays in the store.

    Nobody waits long for a store that is away, a delete of the instance least of all:
    what is left goes when the failed backup is deleted.
    """
    row = backup(ctx)
    if row.driver == SNAPSHOT:
        return
    try:
        with granting.vault(ctx, row) as vault:
            vault.end(granting.names(row).prefix)
    except errors.Unavailable as away:
        if ctx.operation.attempts < PATIENT:
            raise
        LOG.warning("backup %s: what was brought stays for now: %s", row.id, away)


def is_brought(ctx: StepContext) -> bool:
    """Whether the guest brings the data."""
    return not snapshotting.wanted(ctx)


def save_data(ctx: StepContext) -> Settle | Wait:
    """The guest has brought everything, by its word."""
    row = backup(ctx)
    method = _method(ctx, row)
    guestjobs.refuse_old(ctx, method, "for a backup")
    guestjobs.refuse_silent(ctx)
    done = guestjobs.carry(ctx, method, late=lambda: {"order": _order(ctx, row)})
    if isinstance(done, Wait):
        _allow(ctx, row, method)
        return done
    _must_go_on(ctx, row, done)
    said = _said(done)

    def work(tx: orm.Session) -> None:
        backups.move(tx, row.id, BackupState.SAVING, RUNNING, ended=now(tx))

    return Settle(work, said)


def stop_saving(ctx: StepContext) -> None:
    """The guest's job has no use any more. It ends by itself if it does not hear it."""
    job = guestjobs.job(ctx, _method(ctx, backup(ctx)))
    if job is not None and job.state not in (JobState.DONE, JobState.FAILED):
        with contextlib.suppress(errors.Unavailable):
            granting.end(ctx, job.id)


def count_parts(ctx: StepContext) -> Settle:
    """From now on the parts are as they are; they are all that was brought."""
    row, said = backup(ctx), ctx.output(save_data)
    keys = granting.storage(ctx).keys
    names, attempt = granting.names(row), int(said["attempt"])
    # only a scheduled one may be full instead: who asked for an increment gets that
    parent = None if said.get("full") and row.scheduled else row.parent_id
    with granting.vault(ctx, row) as vault:
        vault.shut()
        parts = _compared(vault, names, attempt)
        about = {"words": said["words"], "attempt": attempt, "root": _root(ctx)}
        hashes = rowhashes.brought(vault, names, attempt) if _asked(ctx).rows else None
        whole = Manifest(
            backup=row.id,
            instance=row.instance_id,
            project=row.project,
            datastore=ctx.version(ctx.instance()).manager,
            size=int(said["size"]),
            parts=parts,
            parent=parent,
            about={**about, **rowhashes.kept(hashes)},
        )
        # by what wrapped its key, which its row names: nothing else opens the backup
        data = manifest.write(whole, *keys.signing(row.project, str(row.ring)))
        vault.put(names.manifest, data)
        vault.delete(names.attempt(one) for one in range(1, attempt))
        where = vault.reads(names.manifest, 1).url.partition("?")[0]
    columns = {
        "manifest": manifest.digest(data),
        "size": whole.size,
        "stored": whole.stored,
        "parts": len(parts),
        "about": {**about, **rowhashes.told(hashes)},
        "parent_id": parent,
        "location": where,
        **_goes_on(said["words"]),
    }
    return Settle(lambda tx: backups.changes(tx, row.id, **columns))


def settle(ctx: StepContext) -> Settle:
    """COMPLETED, and the instance is at rest, or deleted; its policy may have the
    backup verified."""
    brought = is_brought(ctx)

    def work(tx: orm.Session) -> None:
        if brought:
            verifications.choose(tx, _asked(ctx).backup)
        backups.move(tx, _asked(ctx).backup, BackupState.COMPLETED, RUNNING)
        afterwards.saved(ctx, tx, _asked(ctx).delete)

    return Settle(work)


def failed(ctx: StepContext, tx: orm.Session, fault: str) -> None:
    """The backup says why; the instance is none the worse."""
    backups.move(tx, _asked(ctx).backup, BackupState.FAILED, RUNNING, fault=fault)
    afterwards.not_saved(ctx, tx, _asked(ctx).delete, fault)


def backup(ctx: StepContext) -> Backup:
    """The row of the backup that is made."""
    with ctx.claim.database.reading() as tx:
        row = backups.get(tx, _asked(ctx).backup)
    if row is None:
        raise errors.BackupNotFound(id=_asked(ctx).backup)
    return row


def _asked(ctx: StepContext) -> operations.BackUp:
    return operations.BackUp.from_dict(ctx.operation.input or {})


def _method(ctx: StepContext, row: Backup) -> str:
    """By which job: one that an old agent does not take for another."""
    apart = registry.get(ctx.version(ctx.instance()).manager).can.chain_apart
    return "back_up_increment" if apart and row.parent_id is not None else "back_up"


def _must_go_on(ctx: StepContext, row: Backup, done: dict[str, typing.Any]) -> None:
    """Raises ``NoIncrement`` when the guest can say of that parent no more what came
    after it; nothing stands on that from then on."""
    why = done.get("none")
    if why is None or row.parent_id is None:
        return
    parent = row.parent_id
    ctx.write(lambda tx: backups.end_chain(tx, parent))
    raise NoIncrement(parent=parent, why=str(why)[:LONGEST])


def _order(ctx: StepContext, row: Backup) -> BackupOrder:
    """Sealed for the guest: the key, and the first requests."""
    keys = granting.storage(ctx).keys
    key = keys.unwrap(row.project, Wrapped(str(row.ring), str(row.key)))
    since = None
    if row.parent_id is not None:
        with ctx.claim.database.reading() as tx:
            since = _words(backups.load(tx, row.parent_id, row.project))
    with granting.vault(ctx, row) as vault:
        sign = _sign(vault, granting.names(row))
        grants = [granting.granted(ctx, Wish(1, first), sign) for first in (0, LIST)]
    secret = {"key": key.hex(), "grants": grants}
    sealed = sealing.seal(granting.public_key(ctx), secret)
    pace = ctx.settings.backup_pace
    rows = ctx.settings.rows_within if _asked(ctx).rows else None
    return BackupOrder(row.id, since, sealed, pace, row.scheduled, rows)


def _allow(ctx: StepContext, row: Backup, method: str) -> None:
    job = guestjobs.job(ctx, method)
    asked = granting.wish(job)
    if job is None or asked is None:
        return
    with granting.vault(ctx, row) as vault:
        sign = _sign(vault, granting.names(row))
        granting.allow(ctx, job.id, asked, sign)


def _sign(vault: Vault, names: Names) -> granting.Sign:
    def sign(attempt: int, number: int) -> Signed | None:
        if number > ROWS:
            return None
        return vault.writes(names.of(attempt, number), granting.SECONDS)

    return sign


def _said(done: dict[str, typing.Any]) -> dict[str, typing.Any]:
    """Of the guest's word what can be one."""
    match done:
        case {"attempt": int(attempt), "size": int(size), "words": dict(words)} if (
            1 <= attempt <= granting.ATTEMPTS
            and 0 < size < LARGEST
            and len(words) <= WORDS
            and all(_word(each) for pair in words.items() for each in pair)
        ):
            full = {"full": True} if done.get("full") is True else {}
            return {"attempt": attempt, "size": size, "words": words, **full}
    raise NotWhole(why="the guest does not say what it brought")


def _word(said: typing.Any) -> bool:
    return isinstance(said, str) and len(said) <= LONGEST


def _compared(vault: Vault, names: Names, attempt: int) -> tuple[manifest.Part, ...]:
    """All that the guest says that it brought, once the store has it so."""
    try:
        said = vault.get(names.of(attempt, LIST), manifest.LARGEST)
        parts = manifest.of_guest(said)
    except (errors.NotFound, errors.Invalid) as error:
        raise NotWhole(why=f"there is no list of its parts ({error})") from None
    there = [
        (number, one.size, one.md5)
        for one in vault.listed(names.attempt(attempt))
        if (number := names.number(attempt, one.name)) is not None
    ]
    wrong = manifest.missing(parts, there)
    if wrong is not None:
        raise NotWhole(why=wrong)
    return parts


def _goes_on(words: dict[str, str]) -> dict[str, int | float]:
    """Where in the transaction log a replay after it begins, and from which moment on
    it restores, if the engine says so."""
    try:
        place, moment = int(words["place"]), float(words["at"])
    except (KeyError, ValueError):
        return {}
    if not (0 <= place < LARGEST and 0 <= moment < LARGEST):
        return {}
    return {"place": place, "moment": moment}


def _words(row: Backup) -> dict[str, str]:
    return dict((row.about or {}).get("words", {}))


def _root(ctx: StepContext) -> bool:
    """Whether somebody may be root in what was saved."""
    with ctx.claim.database.reading() as tx:
        return root.enabled(tx, ctx.object_id)


FLOW = Flow(
    operations.BACK_UP,
    (
        Step(make_place, undo=remove_place, within=minutes(30)),
        Step(save_data, undo=stop_saving, within=minutes(40 * 60), wanted=is_brought),
        Step(count_parts, within=minutes(6 * 60), wanted=is_brought),
        Step(
            snapshotting.freeze_volume,
            undo=snapshotting.thaw_again,
            within=minutes(30),
            wanted=snapshotting.wanted,
        ),
        Step(
            snapshotting.take_snapshot,
            undo=snapshotting.remove_snapshot,
            within=minutes(15),
            wanted=snapshotting.wanted,
        ),
        Step(
            snapshotting.thaw_volume,
            within=minutes(15),
            wanted=snapshotting.wanted,
        ),
        Step(settle),
    ),
    deadline=operations.DEADLINES[operations.BACK_UP],
    failed=failed,
)
