# SPDX-License-Identifier: Apache-2.0
"""The pieces of work that several workers (``-n``) share, and who takes which.

Tests that share servers stay with one worker, most others go file by file. What waits
for machines goes on beside what computes: two workers have a deployment each and run
all that needs one, the others begin with the rest.
"""

import re
import typing

import pytest

# What stands at addresses of its own, where a second of the kind would find them taken,
# and what shares guests or servers that take long to start. Whose name begins so is
# one piece of work.
TOGETHER = {
    "system/localcloud/": "localcloud",
    "system/faults/": "laboratory",
    "system/test_attacks": "taken over",
    "system/test_compromised": "taken over",
    "contract/cloud/": "contract/cloud",
    "contract/datastore/test_newcomer": "newcomer",  # a suite in a process of its own
    "contract/datastore/": "contract/datastore",
    "contract/guest/": "contract/guest",
    "contract/rpc/": "contract/rpc",
    "contract/db/": "contract/db",
}
WAITING: tuple[str, ...] = ("upgrades.py::test_an_upgrade_to_a_sick", "point_in_time")
WAITING += ("attacks", "compromised", "addresses", "faults_cloud", "changes")
WAITING += ("verifications", "upgrades", "snapshots", "ssl")
"""What waits for what takes minutes to be given up, or to come by itself, and leaves
the processors to others; longer ones first. A flood of messages comes beside these."""
BUSY: tuple[str, ...] = ("dumps", "backups", "recycled", "prepare", "quickstart")
BUSY += ("soak", "units", "clients", "conformance", "crash", "logs")
"""What takes all that it gets of the processors, longer ones last: of the two workers
that begin with deployments one goes from the first piece on and one from the last, so
that one waits while the other computes."""
ORDER = (
    "system/faults/",
    *(f"system/test_{name}" for name in WAITING),
    "system/test_",
    *(f"system/test_{name}" for name in BUSY),
    "system/",
    "functional/",
    "contract/",
    "chaos/test_flows",
)
"""Which comes sooner: how a name begins, and the longest of these beginnings says."""
ALONE = ("chaos", "architecture")
"""Each test of these is a piece of work by itself."""
EACH = (
    "api/test_attacks_everywhere.py",
    "api/test_languages.py",
    "system/test_backups.py",
    "system/test_dumps.py",
    "system/test_point_in_time.py",
    "system/test_recycled.py",
    "system/test_releases.py",
    "system/test_snapshots.py",
    "system/test_ssl.py",
    "system/test_stores.py",
    "system/test_upgrades.py",
    "system/test_verifications.py",
)
"""Of these too: none shares anything with another of its file, and all of a file, for
each route or each version of an engine, take minutes."""
SUBJECTS = ("system/test_conformance.py",)
"""What the tests of these share is the subject that their names begin with."""
DEPLOYMENTS = 2
"""How many workers make a deployment for themselves, if there are more workers; and one
more, when there is nothing else left for it and still so much of this (with a fourth,
two processors had nothing left, and what is bounded by time failed):"""
MANY = 8


def piece(nodeid: str) -> str:
    """The name of the piece of work that a test belongs to."""
    place, _, name = nodeid.removeprefix("tests/").partition("::")
    for beginning, found in TOGETHER.items():
        if place.startswith(beginning):
            return found
    top = place.split("/")[0]
    if top == "functional":
        return f"{top} {name.partition('-')[0]}"  # its backend: one process for all
    if place in SUBJECTS:
        return f"{place} {re.split('[][]', name)[1:2]}"
    if place.startswith("chaos/test_flows"):
        # what one test of a flow played, the others need not
        return f"{place} {re.split('[][-]', name)[1:2] or name}"
    return f"{place}::{name}" if top in ALONE or place in EACH else place


def turn(nodeid: str) -> int:
    """Whose turn comes sooner has the lower number."""
    place = nodeid.removeprefix("tests/")
    known = [each for each in ORDER if place.startswith(each)]
    return ORDER.index(max(known, key=len)) if known else len(ORDER)


def deployed(found: str) -> bool:
    """Whether a piece needs a worker's own deployment."""
    return found == "taken over" or found.startswith("system/test_")


def scheduler(config: pytest.Config, log: typing.Any) -> typing.Any:
    """xdist's, with our pieces; a worker that may have none of the rest goes home."""
    from xdist.scheduler import LoadScopeScheduling

    class Pieces(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return piece(nodeid)

        def _assign_work_unit(self, node: typing.Any) -> None:
            number = int(node.gateway.id.removeprefix("gw"))
            wanted = _wanted(number, self.numnodes, list(self.workqueue))
            if wanted is None:
                node.shutdown()
                return
            self.workqueue.move_to_end(wanted, last=False)
            super()._assign_work_unit(node)

    return Pieces(config, log)


def _wanted(worker: int, workers: int, left: list[str]) -> str | None:
    """The piece that a worker takes next of those that are left."""
    if workers <= DEPLOYMENTS:
        return left[0]
    mine = worker < DEPLOYMENTS
    fitting = [found for found in left if deployed(found) == mine]
    if fitting:
        return fitting[-1 if mine and worker else 0]
    more = worker == DEPLOYMENTS and len(left) >= MANY
    return left[0] if mine or more else None
