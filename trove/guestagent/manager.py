# SPDX-License-Identifier: Apache-2.0
"""The RPC end of Guest: each method enters a job in the ledger, or reads it."""

import re
import typing

from trove import errors
from trove.context import Context
from trove.guestagent.jobs import Jobs
from trove.guestagent.ledger import OWN, Ledger
from trove.rpc import codec
from trove.rpc.messages import JobReport, Plan

ID = re.compile(r"[0-9A-Za-z][0-9A-Za-z._:/\[\]-]{0,254}")


class Manager:
    """Serves ``rpc.guest.Guest``. ``rang`` is called when a job was sent once more."""

    def __init__(
        self,
        ledger: Ledger,
        jobs: Jobs,
        rang: typing.Callable[[], object] = lambda: None,
    ) -> None:
        self._ledger = ledger
        self._jobs = jobs
        self._rang = rang

    def prepare(self, context: Context, job: str, plan: Plan) -> None:
        """Become what the plan says; what is sealed in it stays sealed on disk."""
        self._submit(job, "prepare", {"plan": codec.encode(plan)})

    def restart_database(self, context: Context, job: str) -> None:
        """Restart the engine."""
        self._submit(job, "restart_database", {})

    def stop_database(self, context: Context, job: str) -> None:
        """Stop the engine in good order."""
        self._submit(job, "stop_database", {})

    def job(self, context: Context, job: str) -> JobReport | None:
        """How a job stands; who asks about an ended one has heard of its end."""
        found = self._ledger.get(_checked(job))
        if found is None:
            return None
        if found.over:
            self._ledger.acknowledge(found.id)
        return found.report()

    def _submit(self, id: str, method: str, arguments: dict[str, typing.Any]) -> None:
        self._jobs.submit(_checked(id), method, arguments)
        self._rang()  # whoever sent it hears at once how it stands


def _checked(id: str) -> str:
    if not ID.fullmatch(id) or id.startswith(OWN):
        raise errors.Invalid(why="that is no id of a job")
    return id
