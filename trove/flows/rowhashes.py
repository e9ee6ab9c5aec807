# SPDX-License-Identifier: Apache-2.0
"""Hashes of rows: what a guest brought of them, and how another comes to the same.

They are in the backup's manifest, which is signed; what users are told of them has no
table's name. Whatever is amiss with them, the backup is none the worse: it has none.
"""

import typing

from trove import errors
from trove.datastores import rows
from trove.datastores.rows import Hashes
from trove.db.queries import backups
from trove.flows import granting, guestjobs
from trove.flows.context import StepContext
from trove.rpc.messages import RowsOrder
from trove.storage import manifest
from trove.storage.backups import Names
from trove.storage.vault.protocol import ROWS, Vault
from trove.workflow.flow import Wait

NAME = "rows"
"""In what a manifest, and a backup's row, say about it."""
OLD = "the agent of the instance is of an older release"
OLD_IMAGE = "the agent of its image is of an older release"
LARGEST = 2 * rows.LARGEST

Said = dict[str, typing.Any]


def brought(vault: Vault, names: Names, attempt: int) -> Hashes:
    """By the guest; what is none is said to be none."""
    name = names.of(attempt, ROWS)
    size = next((one.size for one in vault.listed(name) if one.name == name), None)
    if size is None:
        return Hashes(none=OLD)
    try:
        return rows.read(vault.get(name, LARGEST) if size <= LARGEST else b"")
    except (errors.Invalid, UnicodeDecodeError):
        return Hashes(none="the guest brought something else")


def kept(hashes: Hashes | None) -> Said:
    """For the manifest: all of it, as it is written down."""
    return {} if hashes is None else {NAME: rows.write(hashes).decode()}


def told(hashes: Hashes | None) -> Said:
    """For the backup's row, and so for its user."""
    return {} if hashes is None else {NAME: hashes.said()}


def wanted(ctx: StepContext, id: str) -> bool:
    """Whether there is any that can be compared."""
    with ctx.claim.database.reading() as tx:
        row = backups.get(tx, id)
    return bool((row and row.about or {}).get(NAME, {}).get("tables"))


def none(ctx: StepContext, id: str) -> Said | None:
    """Why nothing is compared; None: nobody asked for it."""
    with ctx.claim.database.reading() as tx:
        row = backups.get(tx, id)
    said = (row and row.about or {}).get(NAME)
    if said is None:
        return None
    return {"tables": 0, "equal": 0, **said}


def compare(ctx: StepContext, id: str) -> Said | Wait:
    """The guest has compared them, and found no difference; or it knows of no such
    order, which says nothing of the backup."""
    if guestjobs.untaken(ctx, "check_rows", guestjobs.UNTAKEN):
        return {"tables": 0, "equal": 0, "none": OLD_IMAGE}
    guestjobs.refuse_silent(ctx)
    done = guestjobs.carry(ctx, "check_rows", late=lambda: {"order": _order(ctx, id)})
    return done if isinstance(done, Wait) else _counted(done, _left_out(ctx, id))


def _order(ctx: StepContext, id: str) -> RowsOrder:
    """What the manifest has, once more as it was written and signed."""
    keys = granting.storage(ctx).keys
    with ctx.claim.database.reading() as tx:
        row = backups.load(tx, id)
    with granting.vault(ctx, row) as vault:
        data = vault.get(granting.names(row).manifest, manifest.LARGEST)
    said = manifest.read(
        data, str(row.manifest), lambda ring: keys.signing(row.project, ring)[1]
    )
    return RowsOrder(str(said.about[NAME]), ctx.settings.rows_within)


def _left_out(ctx: StepContext, id: str) -> dict[str, int]:
    """How many tables have no hash, and why."""
    with ctx.claim.database.reading() as tx:
        about = backups.load(tx, id).about or {}
    return {why: n for why, n in about.get(NAME, {}).items() if why in rows.WHY}


def _counted(done: Said, left_out: dict[str, int]) -> Said:
    """Of a guest's word what can be one, beside what was left out before."""
    counts = {
        name: number
        for name in ("tables", "equal", *rows.WHY)
        if type(number := done.get(name)) is int and 0 <= number < 2**31
    }
    for why, number in left_out.items():
        counts[why] = counts.get(why, 0) + number
    word = done.get("none")
    none = {"none": word[: rows.LONGEST]} if isinstance(word, str) else {}
    return {"tables": 0, "equal": 0, **counts, **none}
