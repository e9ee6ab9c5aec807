# SPDX-License-Identifier: Apache-2.0
"""A new instance's data from a backup: the chain is read and proved, then restored.

The manifests are looked at before a server is made: one that was changed, or of whose
key nobody knows, ends the create at once (T24).
"""

import contextlib
import functools
import typing

from trove import errors
from trove.datastores import registry
from trove.db.queries import backups
from trove.db.tables import Archive, Backup
from trove.flows import granting, guestjobs, replaying
from trove.flows.context import StepContext
from trove.model import operations
from trove.model.backups import SNAPSHOT
from trove.rpc import sealing
from trove.rpc.messages import BackupLink, Plan, RestoreOrder
from trove.storage import manifest
from trove.storage.keys import Wrapped
from trove.storage.vault.protocol import LIST, Signed, Vault
from trove.workflow.flow import Wait


class SnapshotLost(errors.NotFound):
    """The cloud has it no more."""

    sentence = "The snapshot {id}, which the backup is, is {state}."


def wanted(ctx: StepContext) -> bool:
    """Whether the instance is made of a backup."""
    return _asked(ctx) is not None


def read_backup(ctx: StepContext) -> dict[str, typing.Any]:
    """The chain, each link's manifest as it was written and signed; and the list of
    what is replayed after it."""
    chain = _chain(ctx)
    if chain[-1].driver == SNAPSHOT:
        return {"snapshot": _taken(ctx, chain[-1])}
    said: dict[str, typing.Any] = {"links": [_link(ctx, row) for row in chain]}
    wish = _input(ctx).replay
    if wish is not None:
        parts = sum(link["parts"] for link in said["links"])
        said["replay"] = replaying.write(ctx, wish, chain[-1], parts)
    return said


def snapshot(ctx: StepContext) -> str | None:
    """What the volume of a new instance is made of; None: it is an empty one."""
    if not wanted(ctx):
        return None
    found = ctx.output(read_backup).get("snapshot")
    return None if found is None else str(found)


def _taken(ctx: StepContext, row: Backup) -> str:
    """The snapshot of a backup that is one."""
    id = str((row.about or {}).get("snapshot"))
    found = ctx.cloud.snapshots.show(id)
    if found is None or found.status != "available":
        raise SnapshotLost(id=id, state="gone" if found is None else found.status)
    return id


def forget_list(ctx: StepContext) -> None:
    """Who was to restore has no use for it."""
    wish = _input(ctx).replay
    if wish is not None:
        replaying.forget(ctx, wish)


def _link(ctx: StepContext, row: Backup) -> dict[str, typing.Any]:
    """Its manifest is what was written, by us; its key can be had."""
    keys = granting.storage(ctx).keys

    def key(ring: str) -> bytes:
        return keys.signing(row.project, ring)[1]

    with granting.vault(ctx, row) as vault:
        data = vault.get(granting.names(row).manifest, manifest.LARGEST)
    said = manifest.read(data, str(row.manifest), key)
    keys.unwrap(row.project, _wrapped(row))
    return {
        "backup": row.id,
        "size": len(data),
        "parts": len(said.parts),
        "attempt": int(said.about.get("attempt", 1)),
    }


def restore_data(ctx: StepContext, plan: Plan) -> dict[str, typing.Any] | Wait:
    """The guest has the data of the last link, by its engine's own check."""
    chain = _chain(ctx)
    if chain[-1].driver == SNAPSHOT:
        return _adopted(ctx, chain[-1], plan)
    method = _method(ctx, chain)
    refuse_old(ctx, method)
    guestjobs.refuse_silent(ctx)
    done = guestjobs.carry(
        ctx, method, late=lambda: {"order": _order(ctx, chain, plan)}
    )
    if not isinstance(done, Wait):
        wish = _input(ctx).replay
        if wish is not None:
            replaying.played(ctx, wish)
        return {}
    job = guestjobs.job(ctx, method)
    asked = granting.wish(job)
    if job is not None and asked is not None:
        with _signing(ctx, chain) as sign:
            granting.allow(ctx, job.id, asked, sign)
    return done


def _method(ctx: StepContext, chain: list[Backup]) -> str:
    """By which the guest is told: one that an old agent does not take for another."""
    can = registry.get(ctx.version(ctx.instance()).manager).can
    return "restore_chain" if can.chain_apart and len(chain) > 1 else "restore"


def _adopted(ctx: StepContext, row: Backup, plan: Plan) -> dict[str, typing.Any] | Wait:
    """The volume has the data already: it becomes the new guest's own."""
    refuse_old(ctx, "adopt")
    guestjobs.refuse_silent(ctx)
    return guestjobs.carry(ctx, "adopt", plan=plan, source=row.instance_id)


def refuse_old(ctx: StepContext, method: str) -> None:
    """Raises ``guestjobs.TooOld`` when a new guest does not know of such a job."""
    what = f"to {method.replace('_', ' ')}"
    guestjobs.refuse_old(ctx, method, what, guestjobs.BUILD)


def has_root(ctx: StepContext) -> bool:
    """Whether the backup has somebody who may be root."""
    row = _chain(ctx)[-1]
    return bool((row.about or {}).get("root"))


def _asked(ctx: StepContext) -> str | None:
    return _input(ctx).restore


def _input(ctx: StepContext) -> operations.CreateInstance:
    return operations.CreateInstance.from_dict(ctx.operation.input or {})


def _chain(ctx: StepContext) -> list[Backup]:
    with ctx.claim.database.reading() as tx:
        return backups.chain(tx, str(_asked(ctx)))


def _order(ctx: StepContext, chain: list[Backup], plan: Plan) -> RestoreOrder:
    known = {link["backup"]: link for link in _links(ctx)}
    keys, replay = granting.storage(ctx).keys, _replay(ctx)
    with _signing(ctx, chain) as sign:
        first = [granting.Wish(1, number) for number in (LIST, 0)]
        grants = [granting.granted(ctx, wish, sign) for wish in first]
    sealed: list[Backup | Archive] = [*chain]
    if replay is not None:
        sealed.append(replaying.archive(ctx, replay.wish))
    secret = {
        "keys": [keys.unwrap(row.project, _wrapped(row)).hex() for row in sealed],
        "grants": grants,
    }
    links = tuple(
        BackupLink(row.id, known[row.id]["size"], str(row.manifest)) for row in chain
    )
    return RestoreOrder(
        plan,
        links,
        sealing.seal(granting.public_key(ctx), secret),
        dict((chain[-1].about or {}).get("words", {})),
        replay.order if replay is not None else None,
    )


@contextlib.contextmanager
def _signing(ctx: StepContext, chain: list[Backup]) -> typing.Iterator[granting.Sign]:
    """The parts of all links have numbers in one row, those of the log behind them; and
    so have the manifests, and the list of the log."""
    links, replay = _links(ctx), _replay(ctx)
    with contextlib.ExitStack() as opened:

        @functools.cache
        def vault(number: int) -> Vault:
            return opened.enter_context(granting.vault(ctx, chain[number]))

        @functools.cache
        def log() -> typing.Callable[[int], Signed | None]:
            if replay is None:
                return lambda number: None
            return opened.enter_context(replay.signing(ctx))

        def sign(_attempt: int, number: int) -> Signed | None:
            if LIST <= number < LIST + len(chain):
                link = number - LIST
                name = granting.names(chain[link]).manifest
                return vault(link).reads(name, granting.SECONDS)
            if number >= LIST:
                return log()(number - len(chain))
            for link, about in enumerate(links):
                if number < about["parts"]:
                    name = granting.names(chain[link]).of(about["attempt"], number)
                    return vault(link).reads(name, granting.SECONDS)
                number -= about["parts"]
            return log()(number)

        yield sign


def _replay(ctx: StepContext) -> replaying.Replayed | None:
    said = ctx.output(read_backup).get("replay")
    wish = _input(ctx).replay
    return None if said is None or wish is None else replaying.Replayed(wish, said)


def _links(ctx: StepContext) -> list[dict[str, typing.Any]]:
    return list(ctx.output(read_backup)["links"])


def _wrapped(row: Backup | Archive) -> Wrapped:
    return Wrapped(str(row.ring), str(row.key))
