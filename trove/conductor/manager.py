# SPDX-License-Identifier: Apache-2.0
"""The RPC end of Conductor: checks the sender, records what it says, wakes who waits.

The sender is the broker user that RabbitMQ validated; what a message claims about
itself is never looked at. A message from anybody but a guest is dropped and counted.
"""

import datetime
import logging
import threading
import typing

import sqlalchemy as sa
from sqlalchemy import orm

from trove import errors
from trove.conductor import archives
from trove.conductor.reports import Reports
from trove.context import Context
from trove.db.queries import archives as archiverows
from trove.db.session import Database, now
from trove.db.tables import Guest, GuestJob, Instance
from trove.model import naming
from trove.model.operations import INSTANCE
from trove.model.states import JobState
from trove.rpc import sealing
from trove.rpc.messages import (
    ArchiveReport,
    Enrolled,
    Enrolment,
    JobReport,
    Renewal,
    Report,
)
from trove.service.certificates import DAYS
from trove.workflow import journal

LOG = logging.getLogger(__name__)

Bell = typing.Callable[[str], None]
"""Tells the taskmanagers that an operation is due; never raises."""

ENDED = (JobState.DONE, JobState.FAILED)


class Credentials(typing.Protocol):
    """What the conductor needs of the broker (``rpc/broker.py``)."""

    def set_hash(self, instance: str, password_hash: str) -> None: ...


class Issuer(typing.Protocol):
    """The deployment's CA (``service/certificates.py``)."""

    @property
    def ca_pem(self) -> str: ...

    def issue_for_guest(
        self,
        csr: str,
        instance: str,
        names: list[str],
        addresses: list[str],
        days: float,
    ) -> tuple[str, str, datetime.datetime]:
        """The certificate (PEM), its serial, and when it expires."""


class Manager:
    """Serves ``rpc.conductor.Conductor``."""

    def __init__(
        self,
        database: Database,
        broker: Credentials,
        authority: Issuer,
        bell: Bell,
        reports: Reports,
        *,
        certificate_days: float = DAYS,
    ) -> None:
        self._database, self._broker = database, broker
        self._authority, self._bell, self._reports = authority, bell, reports
        self._days = certificate_days
        self._counting = threading.Lock()
        self.dropped = 0
        """Messages from senders that are no guest of a live instance."""

    def heartbeat(self, context: Context, report: Report) -> None:
        """A guest's state. Older than the last one: it loses, in the database."""
        instance = self._sender(context)
        if instance is None:
            return
        for job in report.jobs:
            self._job(instance, job)
        self._reports.add(instance, report)

    def job_changed(self, context: Context, job: JobReport) -> None:
        """One of the sender's own jobs moved."""
        instance = self._sender(context)
        if instance is not None:
            self._job(instance, job)

    def archived(self, context: Context, report: ArchiveReport) -> None:
        """The sender's own archive; a taskmanager looks whether it is so."""
        instance = self._sender(context)
        if instance is None:
            return
        said, news = archives.checked(report), archives.news(report)
        self._database.run(
            lambda tx: archiverows.heard(tx, instance, report.archive, said, news)
        )

    def enrol(self, context: Context, enrolment: Enrolment) -> Enrolled:
        """The bootstrap credential is exchanged; the same enrolment twice is one.

        Raises ``errors.Forbidden`` for anybody else, and for a second, other key.
        """
        instance = self._sender(context)
        if instance is None:
            raise errors.Forbidden(what="enrol as a guest")
        sealing.check_public_key(enrolment.public_key)
        with self._database.reading() as tx:
            row, known = _living(tx, instance, "enrol"), tx.get(Guest, instance)
        if known is not None and known.public_key not in (None, enrolment.public_key):
            raise errors.Forbidden(what="enrol twice with different keys")
        certificate, serial, expires = self._issue(row, enrolment.csr)
        self._broker.set_hash(instance, enrolment.password_hash)

        def work(tx: orm.Session) -> None:
            guest = tx.get(Guest, instance) or Guest(instance_id=instance)
            guest.public_key = enrolment.public_key
            guest.password_hash = enrolment.password_hash
            guest.enrolled_at = guest.enrolled_at or now(tx)
            guest.certificate_serial = serial
            guest.certificate_expires = expires.timestamp()
            tx.add(guest)

        # Nobody is woken: its first report says that it listens
        self._database.run(work)
        LOG.info("instance %s: its guest has enrolled", instance)
        return Enrolled(certificate=certificate, ca=self._authority.ca_pem)

    def renew_certificate(self, context: Context, renewal: Renewal) -> Enrolled:
        """The next certificate of a guest that has enrolled, with today's addresses.

        The one before stays good until it ends: the guest may never hear this answer.
        """
        instance = self._sender(context)
        if instance is None:
            raise errors.Forbidden(what="renew a guest's certificate")
        with self._database.reading() as tx:
            row, known = _living(tx, instance, "renew"), tx.get(Guest, instance)
        if known is None or known.enrolled_at is None:
            raise errors.Forbidden(what="renew a certificate before it has enrolled")
        certificate, serial, expires = self._issue(row, renewal.csr)

        def work(tx: orm.Session) -> None:
            guest = tx.get(Guest, instance)
            if guest is not None:
                guest.certificate_serial = serial
                guest.certificate_expires = expires.timestamp()

        self._database.run(work)
        LOG.info("instance %s: certificate %s until %s", instance, serial, expires)
        return Enrolled(certificate=certificate, ca=self._authority.ca_pem)

    # -- inside --------------------------------------------------------------------

    def _sender(self, context: Context) -> str | None:
        instance = naming.guest_of(context.broker_user)
        if instance is None:
            self._drop(context)
        return instance

    def _drop(self, context: Context) -> None:
        with self._counting:
            self.dropped += 1
        LOG.warning("dropped a message: %r is no guest", context.broker_user)

    def _issue(self, row: Instance, csr: str) -> tuple[str, str, datetime.datetime]:
        """The certificate's names are ours to decide, never the request's."""
        names = [row.id, *([row.hostname] if row.hostname else [])]
        addresses = [entry["address"] for entry in row.addresses or []]
        return self._authority.issue_for_guest(
            csr, row.id, names, addresses, self._days
        )

    def _job(self, instance: str, job: JobReport) -> None:
        def work(tx: orm.Session) -> str | None:
            changed = tx.execute(
                sa.update(GuestJob)
                .where(
                    GuestJob.id == job.id,
                    # only the sender's own jobs, and an ended job stays ended
                    GuestJob.instance_id == instance,
                    GuestJob.state.not_in(ENDED),
                )
                .values(
                    state=JobState(job.state),
                    progress=max(0, min(100, job.progress)),
                    fault=job.fault,
                    result=job.result,
                    updated=now(tx),
                )
                .execution_options(synchronize_session=False)
            )
            if not typing.cast("sa.CursorResult[typing.Any]", changed).rowcount:
                return None
            wants = "want" in (job.result or {})
            if job.state not in ENDED and not wants:
                return None
            return journal.wake_object(tx, INSTANCE, instance)

        if job.state not in list(JobState):
            raise errors.Invalid(why=f"no job state {job.state!r}")
        self._ring(self._database.run(work))

    def _ring(self, operation: str | None) -> None:
        if operation is not None:
            self._bell(operation)


def _living(tx: orm.Session, instance: str, what: str) -> Instance:
    """The instance, unless it is gone."""
    row = tx.scalar(
        sa.select(Instance).where(
            Instance.id == instance, Instance.deleted_at.is_(None)
        )
    )
    if row is None:
        raise errors.Forbidden(what=f"{what} for an instance that is gone")
    return row
