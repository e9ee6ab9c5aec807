# SPDX-License-Identifier: Apache-2.0
"""Guest: every method of an agent, its version, cast or call, its time-out (seconds).

A cast that changes something carries the job's id (operation/step): the agent writes
it to its ledger before it acts, and the same id twice is one deed.
"""

from trove.rpc.interface import Interface, call, cast
from trove.rpc.messages import JobReport, Plan


class Guest(Interface):
    """Topic ``guestagent.<instance>``, on the guests' vhost."""

    topic = "guestagent"
    version = "1.0"
    own_topic = True

    @cast(since="1.0")
    def prepare(self, job: str, plan: Plan) -> None:
        """Become what the plan says: volume, engine, databases, accounts."""

    @cast(since="1.0")
    def restart_database(self, job: str) -> None:
        """Restart the engine; done when it is healthy again."""

    @cast(since="1.0")
    def stop_database(self, job: str) -> None:
        """Stop the engine in good order (before the server goes)."""

    @call(since="1.0", timeout=30)
    def job(self, job: str) -> JobReport | None:
        """How a job stands by the agent's ledger; None if it never heard of it."""
