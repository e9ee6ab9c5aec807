# SPDX-License-Identifier: Apache-2.0
"""The RPC end of Guest: enters jobs in the ledger, reads it, and asks the accounts."""

import re
import typing

from trove import errors
from trove.context import Context
from trove.datastores.protocol import ENFORCED
from trove.guestagent import grants, machine
from trove.guestagent.accounts import Desk
from trove.guestagent.archiving import Archiving
from trove.guestagent.jobs import Jobs
from trove.guestagent.ledger import OWN, Ledger
from trove.guestagent.logs import Logs
from trove.guestagent.modules.shelf import Shelf
from trove.rpc import codec
from trove.rpc.messages import (
    ArchiveOrder,
    BackupOrder,
    CopyShown,
    DatabaseOrder,
    ExportOrder,
    Group,
    ImportOrder,
    JobReport,
    LogShown,
    ModuleOrder,
    ModuleShown,
    Plan,
    RestoreOrder,
    RowsOrder,
    Sealed,
    TlsOrder,
    TlsShown,
    UserShown,
)

ID = re.compile(r"[0-9A-Za-z][0-9A-Za-z._:/\[\]-]{0,254}")


class Manager:
    """Serves ``rpc.guest.Guest``. ``rang`` is called when a job was sent once more."""

    def __init__(
        self,
        ledger: Ledger,
        jobs: Jobs,
        rang: typing.Callable[[], object] = lambda: None,
        accounts: Desk | None = None,
        logs: Logs | None = None,
        tls: typing.Callable[[], TlsShown] = lambda: TlsShown(ENFORCED, None, False),
        shelf: Shelf | None = None,
        copies: typing.Callable[[], tuple[CopyShown, ...]] = lambda: (),
        facts: typing.Callable[[], machine.Facts] = machine.machine,
        archiving: Archiving | None = None,
    ) -> None:
        self._ledger = ledger
        self._jobs = jobs
        self._desk, self._logs = accounts, logs
        self._tls = tls
        self._rang = rang
        self._shelf = shelf
        self._copies = copies
        self._facts = facts
        self._archiving = archiving

    def prepare(self, context: Context, job: str, plan: Plan) -> None:
        """Become what the plan says; what is sealed in it stays sealed on disk."""
        self._submit(job, "prepare", {"plan": codec.encode(plan)})

    def restart_database(self, context: Context, job: str) -> None:
        """Restart the engine."""
        self._submit(job, "restart_database", {})

    def configure(self, context: Context, job: str, group: Group) -> None:
        """Have a configuration group's values in force."""
        self._submit(job, "configure", {"group": codec.encode(group)})

    def grow_file_system(self, context: Context, job: str) -> None:
        """Make the file system as large as its volume."""
        self._submit(job, "grow_file_system", {})

    def stop_database(self, context: Context, job: str) -> None:
        """Stop the engine in good order."""
        self._submit(job, "stop_database", {})

    def renew_certificate(self, context: Context, job: str) -> None:
        """Ask for a certificate that names the addresses of now."""
        self._submit(job, "renew_certificate", {})

    def change_tls(self, context: Context, job: str, order: TlsOrder) -> None:
        """Serve otherwise; the key stays sealed on disk until then."""
        self._submit(job, "change_tls", {"order": codec.encode(order), "job": job})

    def keep_data(self, context: Context, job: str, copy: str) -> None:
        """Keep a copy of all data."""
        self._submit(job, "keep_data", {"copy": copy})

    def forget_data(self, context: Context, job: str, copy: str) -> None:
        """Drop a copy of the data."""
        self._submit(job, "forget_data", {"copy": copy})

    def unload_data(self, context: Context, job: str, copy: str) -> None:
        """Have all that the engine says beside a copy of the data."""
        self._submit(job, "unload_data", {"copy": copy})

    def load_data(self, context: Context, job: str, plan: Plan) -> None:
        """Have a new engine have all of it."""
        self._submit(job, "load_data", {"plan": codec.encode(plan)})

    def apply_module(self, context: Context, job: str, module: ModuleOrder) -> None:
        """Apply a module; what is sealed in it stays sealed on disk."""
        self._submit(job, "apply_module", {"module": codec.encode(module)})

    def remove_module(self, context: Context, job: str, module: ModuleOrder) -> None:
        """Take a module away."""
        self._submit(job, "remove_module", {"module": codec.encode(module)})

    def back_up(self, context: Context, job: str, order: BackupOrder) -> None:
        """Bring the data; the key stays sealed on disk."""
        self._submit(job, "back_up", {"order": codec.encode(order), "job": job})

    def back_up_increment(self, context: Context, job: str, order: BackupOrder) -> None:
        """Bring the log since another backup; the key stays sealed on disk."""
        told = {"order": codec.encode(order), "job": job}
        self._submit(job, "back_up_increment", told)

    def restore(self, context: Context, job: str, order: RestoreOrder) -> None:
        """Have the data of a backup; the keys stay sealed on disk."""
        self._submit(job, "restore", {"order": codec.encode(order), "job": job})

    def restore_chain(self, context: Context, job: str, order: RestoreOrder) -> None:
        """Have those of a chain; the keys stay sealed on disk."""
        self._submit(job, "restore_chain", {"order": codec.encode(order), "job": job})

    def freeze(self, context: Context, job: str, seconds: int) -> None:
        """Hold the data's volume still."""
        self._submit(job, "freeze", {"seconds": seconds})

    def thaw(self, context: Context, job: str) -> None:
        """Let it be written to again."""
        self._submit(job, "thaw", {})

    def adopt(self, context: Context, job: str, plan: Plan, source: str) -> None:
        """Have the volume of another's snapshot."""
        arguments = {"plan": codec.encode(plan), "source": source}
        self._submit(job, "adopt", arguments)

    def check_data(self, context: Context, job: str) -> None:
        """Read all data, and say whether they are as they must be."""
        self._submit(job, "check_data", {})

    def check_rows(self, context: Context, job: str, order: RowsOrder) -> None:
        """Compare the rows of tables with those that there were."""
        self._submit(job, "check_rows", {"order": codec.encode(order)})

    def export(self, context: Context, job: str, order: ExportOrder) -> None:
        """Bring a dump; what is granted stays sealed on disk."""
        self._submit(job, "export", {"order": codec.encode(order), "job": job})

    def load_dump(self, context: Context, job: str, order: ImportOrder) -> None:
        """Load a dump; what is granted stays sealed on disk."""
        self._submit(job, "load_dump", {"order": codec.encode(order), "job": job})

    def allow(self, context: Context, job: str, sealed: Sealed) -> None:
        """Requests for a job that goes on; for another they are nothing."""
        found = self._ledger.get(_checked(job))
        if found is not None and not found.over:
            grants.give(self._ledger.granted(job), sealed.text)

    def archive(self, context: Context, order: ArchiveOrder) -> None:
        """Have the transaction log be brought; the key stays sealed on disk."""
        self._archives.order(order)

    def end_archive(self, context: Context, archive: str) -> None:
        """No more of this one."""
        self._archives.end(archive)

    @property
    def _archives(self) -> Archiving:
        if self._archiving is None:
            raise errors.Unsupported(what="Asking this guest for its transaction log")
        return self._archiving

    def list_modules(self, context: Context) -> tuple[ModuleShown, ...]:
        """What it was told to apply."""
        return () if self._shelf is None else self._shelf.shown()

    def list_copies(self, context: Context) -> tuple[CopyShown, ...]:
        """What an upgrade left on the volume."""
        return self._copies()

    def job(self, context: Context, job: str) -> JobReport | None:
        """How a job stands; who asks about an ended one has heard of its end."""
        found = self._ledger.get(_checked(job))
        if found is None:
            return None
        if found.over:
            self._ledger.acknowledge(found.id)
        return found.report()

    def ping(self, context: Context) -> None:
        """That it is answered is the answer."""

    def machine(self, context: Context) -> dict[str, typing.Any]:
        """The machine, the agent's process, and its version."""
        return {**self._facts(), "version": machine.version()}

    def certificate(self, context: Context) -> str | None:
        """What the server shows to clients."""
        text, end = self._tls().certificate, "-----END CERTIFICATE-----\n"
        return None if text is None else text.partition(end)[0] + end

    def tls(self, context: Context) -> TlsShown:
        """What the server shows to clients, and how it is reached."""
        return self._tls()

    def _submit(self, id: str, method: str, arguments: dict[str, typing.Any]) -> None:
        self._jobs.submit(_checked(id), method, arguments)
        self._rang()  # whoever sent it hears at once how it stands

    # -- databases, users, grants, root

    @property
    def _accounts(self) -> Desk:
        if self._desk is None:
            raise errors.Unsupported(what="Asking this guest for its accounts")
        return self._desk

    def ticket(self, context: Context) -> str:
        return self._accounts.tickets.give()

    def changed(self, context: Context, ticket: str) -> bool:
        return self._accounts.tickets.made(ticket)

    def list_databases(
        self, context: Context, limit: int, after: str | None
    ) -> tuple[str, ...]:
        return self._accounts.databases(limit, after)

    def has_database(self, context: Context, name: str) -> bool:
        return self._accounts.has_database(name)

    def list_users(
        self, context: Context, limit: int, after: str | None
    ) -> tuple[UserShown, ...]:
        return self._accounts.users(limit, after)

    def show_user(self, context: Context, name: str, host: str) -> UserShown | None:
        return self._accounts.user(name, host)

    def create_databases(
        self,
        context: Context,
        ticket: str,
        databases: tuple[DatabaseOrder, ...],
        again: bool,
    ) -> None:
        self._accounts.create_databases(ticket, databases, again)

    def defaults(
        self, context: Context, memory: int, vcpus: int
    ) -> dict[str, typing.Any]:
        return self._accounts.defaults(memory, vcpus)

    def delete_database(self, context: Context, ticket: str, name: str) -> None:
        self._accounts.delete_database(ticket, name)

    def create_users(
        self, context: Context, ticket: str, sealed: Sealed, again: bool
    ) -> None:
        self._accounts.create_users(ticket, sealed, again)

    def change_users(
        self, context: Context, ticket: str, sealed: Sealed, again: bool
    ) -> None:
        self._accounts.change_users(ticket, sealed, again)

    def delete_user(self, context: Context, ticket: str, name: str, host: str) -> None:
        self._accounts.delete_user(ticket, name, host)

    def grant(
        self,
        context: Context,
        ticket: str,
        name: str,
        host: str,
        databases: tuple[str, ...],
    ) -> None:
        self._accounts.grant(ticket, name, host, databases)

    def revoke(
        self, context: Context, ticket: str, name: str, host: str, database: str
    ) -> None:
        self._accounts.revoke(ticket, name, host, database)

    def enable_root(self, context: Context, ticket: str, sealed: Sealed) -> None:
        self._accounts.enable_root(ticket, sealed)

    def disable_root(self, context: Context, ticket: str) -> None:
        self._accounts.disable_root(ticket)

    # -- logs

    @property
    def _book(self) -> Logs:
        if self._logs is None:
            raise errors.Unsupported(what="Asking this guest for its logs")
        return self._logs

    def list_logs(self, context: Context) -> tuple[LogShown, ...]:
        return self._book.shown()

    def set_log(self, context: Context, ticket: str, name: str, on: bool) -> None:
        self._book.switch(ticket, name, on)

    def publish_log(
        self, context: Context, ticket: str, name: str, sealed: Sealed
    ) -> None:
        self._book.publish(ticket, name, sealed)

    def forget_log(self, context: Context, ticket: str, name: str) -> None:
        self._book.forget(ticket, name)


def _checked(id: str) -> str:
    if not ID.fullmatch(id) or id.startswith(OWN):
        raise errors.Invalid(why="that is no id of a job")
    return id
