# SPDX-License-Identifier: Apache-2.0
"""Conductor: what a guest may tell the control plane.

The sender is the broker user that RabbitMQ validated (``context.broker_user``), never
anything that the message says of itself.
"""

from trove.rpc.interface import Interface, call, cast
from trove.rpc.messages import (
    ArchiveReport,
    Enrolled,
    Enrolment,
    JobReport,
    Renewal,
    Report,
)


class Conductor(Interface):
    """Topic ``trove-conductor``, on the guests' vhost."""

    topic = "trove-conductor"
    version = "1.2"
    from_guests = True

    @cast(since="1.0")
    def heartbeat(self, report: Report) -> None:
        """The guest's state, every few seconds and at once when it changes."""

    @cast(since="1.0")
    def job_changed(self, job: JobReport) -> None:
        """A job ended or moved; repeated with each heartbeat until it is forgotten."""

    @cast(since="1.2")
    def archived(self, report: ArchiveReport) -> None:
        """What of its transaction log is in the store, after each round; the same again
        until it is counted."""

    @call(since="1.0", timeout=30)
    def enrol(self, enrolment: Enrolment) -> Enrolled:
        """Exchange the bootstrap credential for one that only the guest knows."""

    @call(since="1.1", timeout=30)
    def renew_certificate(self, renewal: Renewal) -> Enrolled:
        """The next server certificate, for another key of the same guest."""
