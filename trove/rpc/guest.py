# SPDX-License-Identifier: Apache-2.0
"""Guest: every method of an agent, its version, cast or call, its time-out (seconds).

A cast that changes something carries the job's id (operation/step): the agent writes
it to its ledger before it acts, and the same id twice is one deed.

A call that changes something carries a ticket, which the agent gave a moment ago: it is
good once and not for long, so a call that was kept, delayed or sent again is none.
"""

import typing

from trove.rpc.interface import Interface, call, cast
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


class Guest(Interface):
    """Topic ``guestagent.<instance>``, on the guests' vhost."""

    topic = "guestagent"
    version = "1.12"
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

    @cast(since="1.2")
    def configure(self, job: str, group: Group) -> None:
        """These values in force, and no others; ``{"restart": [names that wait]}``."""

    @cast(since="1.2")
    def grow_file_system(self, job: str) -> None:
        """The file system as large as the volume has become."""

    @cast(since="1.5")
    def keep_data(self, job: str, copy: str) -> None:
        """A copy of all data under this name; the engine is stopped."""

    @cast(since="1.5")
    def forget_data(self, job: str, copy: str) -> None:
        """The copy of this name is not needed any more."""

    @cast(since="1.8")
    def unload_data(self, job: str, copy: str) -> None:
        """All that the engine says beside that copy, for another version to take."""

    @cast(since="1.8")
    def load_data(self, job: str, plan: Plan) -> None:
        """A new data directory with all of it, proved; the engine is not started."""

    @cast(since="1.9")
    def back_up(self, job: str, order: BackupOrder) -> None:
        """All data, or what has changed, encrypted and in parts, by granted requests.

        ``{"attempt", "words", "size", "full"?}`` when all is there; ``full``: an
        increment was ordered, and it is none. While it goes on its result
        is ``{"attempt", "carried", "want"?}``: bytes, and the first part that nothing
        is granted for. An agent of before 1.12 hashes no rows.
        """

    @cast(since="1.11")
    def back_up_increment(self, job: str, order: BackupOrder) -> None:
        """``back_up`` of an increment, where agents of before would make none, or a
        full one (``Can.chain_apart``). ``{"attempt", "none"}``: why there is no
        increment of that backup any more."""

    @cast(since="1.9")
    def restore(self, job: str, order: RestoreOrder) -> None:
        """A new data directory of that chain; the engine is not started."""

    @cast(since="1.11")
    def restore_chain(self, job: str, order: RestoreOrder) -> None:
        """``restore`` of a full one and its increments, where agents of before would
        take the full one for all of it (``Can.chain_apart``)."""

    @cast(since="1.11")
    def freeze(self, job: str, seconds: int) -> None:
        """Nothing is written to the data's volume from the end of this job on, for so
        many seconds at the most: it thaws by itself then, whoever has died."""

    @cast(since="1.11")
    def thaw(self, job: str) -> None:
        """It is written to again; ``{"held": bool}``: whether it was not until now."""

    @cast(since="1.11")
    def adopt(self, job: str, plan: Plan, source: str) -> None:
        """The volume is of a snapshot of the instance ``source``: it becomes this
        guest's, with its data; the engine is not started."""

    @cast(since="1.10")
    def check_data(self, job: str) -> None:
        """All that is served is as it must be, by the engine's own checker."""

    @cast(since="1.12")
    def check_rows(self, job: str, order: RowsOrder) -> None:
        """The rows that are served are those whose hashes these are; ``{"tables",
        "equal", ...}``: how many are, and how many were not read."""

    @cast(since="1.10")
    def export(self, job: str, order: ExportOrder) -> None:
        """A dump of databases, in parts, by granted requests; ``{"attempt"}`` when all
        is there. While it goes on its result is that of ``back_up``."""

    @cast(since="1.10")
    def load_dump(self, job: str, order: ImportOrder) -> None:
        """A new database with all of a dump, or none; by granted requests, as
        ``restore``."""

    @cast(since="1.9")
    def allow(self, job: str, sealed: Sealed) -> None:
        """``{"serial", "attempt", "first", "requests"}``: what a job may carry by from
        now on, in the place of what it was allowed before. ``over``: it is to end."""

    @cast(since="1.10")
    def archive(self, order: ArchiveOrder) -> None:
        """The transaction log is brought to a store from now on, or goes on being; what
        becomes of it is told by ``Conductor.archived``. One of another archive than
        before: that one is over, and this one begins."""

    @cast(since="1.10")
    def end_archive(self, archive: str) -> None:
        """No more of this one; the engine holds nothing for it."""

    @cast(since="1.4")
    def apply_module(self, job: str, module: ModuleOrder) -> None:
        """Its driver applies it, again too; ``{"applied": bool, "message"}``."""

    @cast(since="1.4")
    def remove_module(self, job: str, module: ModuleOrder) -> None:
        """Its driver takes it away; ``{"applied": bool, "message"}``."""

    @cast(since="1.6")
    def renew_certificate(self, job: str) -> None:
        """Its addresses have changed: a certificate that names them is asked for."""

    @cast(since="1.7")
    def change_tls(self, job: str, order: TlsOrder) -> None:
        """Served so from now on, once a new connection has been shown to be."""

    @call(since="1.0", timeout=30)
    def job(self, job: str) -> JobReport | None:
        """How a job stands by the agent's ledger; None if it never heard of it."""

    @call(since="1.2", timeout=20)
    def defaults(self, memory: int, vcpus: int) -> dict[str, typing.Any]:
        """What the engine is configured with where no group says otherwise."""

    @call(since="1.2", timeout=10)
    def ping(self) -> None:
        """It hears, and answers."""

    @call(since="1.2", timeout=10)
    def machine(self) -> dict[str, typing.Any]:
        """Its machine's memory (kB) and processors, and what its own process has."""

    @call(since="1.4", timeout=10)
    def list_modules(self) -> tuple[ModuleShown, ...]:
        """Every module that it was told to apply, and what its driver said."""

    @call(since="1.7", timeout=30)
    def list_copies(self) -> tuple[CopyShown, ...]:
        """What an upgrade left beside the data on the volume."""

    # -- databases, users, grants, root: what a guest is asked while a user waits

    @call(since="1.1", timeout=10)
    def ticket(self) -> str:
        """What the next change must carry."""

    @call(since="1.1", timeout=5)
    def changed(self, ticket: str) -> bool:
        """Whether the change with this ticket was made: its answer may be lost."""

    @call(since="1.1", timeout=20)
    def list_databases(self, limit: int, after: str | None) -> tuple[str, ...]:
        """Names after ``after``, in order; fewer than ``limit`` if they are long."""

    @call(since="1.1", timeout=20)
    def has_database(self, name: str) -> bool:
        """Whether there is a database of that name."""

    @call(since="1.1", timeout=20)
    def list_users(self, limit: int, after: str | None) -> tuple[UserShown, ...]:
        """Users after ``after`` (``name@host``), in order of that."""

    @call(since="1.1", timeout=20)
    def show_user(self, name: str, host: str) -> UserShown | None:
        """One user, if there is one."""

    @call(since="1.1", timeout=30)
    def create_databases(
        self,
        ticket: str,
        databases: tuple[DatabaseOrder, ...],
        again: bool = False,
    ) -> None:
        """All of them new, or none; ``again`` (since 1.7): this was asked before, and
        nobody knows whether it was done."""

    @call(since="1.1", timeout=30)
    def delete_database(self, ticket: str, name: str) -> None:
        """With all that is in it, and nobody's grants on it left."""

    @call(since="1.1", timeout=30)
    def create_users(self, ticket: str, sealed: Sealed, again: bool = False) -> None:
        """``{"users": [{"name", "host", "password", "databases"}]}``, all new; or,
        ``again`` (since 1.7), perhaps made before."""

    @call(since="1.1", timeout=30)
    def change_users(self, ticket: str, sealed: Sealed, again: bool = False) -> None:
        """``{"users": [{"name", "host", "new": {"name"?, "host"?, "password"?}}]}``;
        ``again`` (since 1.7): perhaps changed before."""

    @call(since="1.1", timeout=30)
    def delete_user(self, ticket: str, name: str, host: str) -> None:
        """The account; what it made stays in its databases."""

    @call(since="1.1", timeout=30)
    def grant(
        self, ticket: str, name: str, host: str, databases: tuple[str, ...]
    ) -> None:
        """These databases, beside those it has."""

    @call(since="1.1", timeout=30)
    def revoke(self, ticket: str, name: str, host: str, database: str) -> None:
        """This database, which it has."""

    @call(since="1.1", timeout=30)
    def enable_root(self, ticket: str, sealed: Sealed) -> None:
        """``{"password"}``; again: with this one from now on."""

    @call(since="1.1", timeout=30)
    def disable_root(self, ticket: str) -> None:
        """Nobody is root from now on, and who was is sent away."""

    @call(since="1.3", timeout=10)
    def certificate(self) -> str | None:
        """What the server shows to clients, PEM."""

    @call(since="1.7", timeout=10)
    def tls(self) -> TlsShown:
        """The same, and how the server is reached."""

    # -- logs

    @call(since="1.3", timeout=20)
    def list_logs(self) -> tuple[LogShown, ...]:
        """Every log there is, those that only an administrator sees too."""

    @call(since="1.3", timeout=30)
    def set_log(self, ticket: str, name: str, on: bool) -> None:
        """It is written from now on, or no more; what is written stays."""

    @call(since="1.3", timeout=40)
    def publish_log(self, ticket: str, name: str, sealed: Sealed) -> None:
        """``{"url", "query", "metafile", "switch"}``: what is new, to that prefix.

        What takes too long stays for another time.
        """

    @call(since="1.3", timeout=20)
    def forget_log(self, ticket: str, name: str) -> None:
        """As if nothing of it had been published."""
