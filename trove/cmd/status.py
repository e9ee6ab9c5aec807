# SPDX-License-Identifier: Apache-2.0
"""trove-status upgrade check: whether this release can take over what is there.

Codes as everywhere in OpenStack: 0 all well, 1 warnings, 2 something must be done.
"""

import configparser
import contextlib
import functools
import importlib.metadata
import pathlib
import sys
import typing
import urllib.parse

import sqlalchemy as sa
from oslo_config import cfg
from oslo_policy import opts, policy
from oslo_upgradecheck import upgradecheck

from trove import config, errors
from trove.api.policy import list_rules
from trove.cmd import backupstorage
from trove.config import database, rpc
from trove.db import dialects, migrate, types
from trove.db.session import Database
from trove.db.tables import Backup, GuestReport, Instance, Operation
from trove.flows import FLOWS
from trove.model.states import LIVE
from trove.rpc import signing
from trove.rpc.broker import Broker
from trove.service import threads
from trove.storage.managed import ManagedKeys, is_managed

Result = upgradecheck.Result
GOOD = Result(upgradecheck.Code.SUCCESS)

TROUBLE = (errors.TroveError, *dialects.Trouble, OSError, ValueError)


def _bad(why: str) -> Result:
    return Result(upgradecheck.Code.FAILURE, why)


class Checks(upgradecheck.UpgradeCommands):
    """The checks, in the order in which an operator would mend what they find."""

    def __init__(self, conf: cfg.ConfigOpts) -> None:
        self._conf = conf

    @functools.cached_property
    def _database(self) -> Database:
        return Database(**database.arguments(self._conf))

    def close(self) -> None:
        """Leaves the database, if it was asked."""
        if made := self.__dict__.pop("_database", None):
            made.close()

    def database_is_current(self) -> Result:
        """Migrations come before processes."""
        try:
            at = migrate.current(self._database)
        except TROUBLE as error:
            return _bad(f"the database cannot be asked: {type(error).__name__}")
        if at == migrate.head():
            return GOOD
        if at is not None and not migrate.known(at):
            return _bad(f"it is at {at}, which is of a later release than this one")
        return _bad(f"it is at {at or 'nothing'}: run 'trove-manage db sync'")

    def keys_open(self) -> Result:
        """What is sealed in the database must stay readable."""
        path = pathlib.Path(self._conf.database.seal_keys)
        try:
            types.use_keys(path)
        except TROUBLE as error:
            return _bad(f"[database] seal_keys: {error}")
        if path.stat().st_mode & 0o077:
            why = f"{path} can be read by others than its owner"
            return Result(upgradecheck.Code.WARNING, why)
        return GOOD

    def commands_are_signed(self) -> Result:
        """Without it, whoever has the broker commands every guest."""
        path = self._conf.taskmanager.signing_key
        if not path:
            why = "[taskmanager] signing_key is not set: commands are not signed"
            return Result(upgradecheck.Code.WARNING, why)
        try:
            signing.Signer.load(pathlib.Path(path))
        except TROUBLE as error:
            return _bad(f"[taskmanager] signing_key: {error}")
        return GOOD

    def backup_keys_open(self) -> Result:
        """Without them nothing is backed up, and what is there is not restored."""
        if not self._conf.backup.driver:
            return GOOD
        rings = sa.select(Backup.ring).where(
            Backup.deleted_at.is_(None), Backup.ring.is_not(None)
        )
        try:
            keys = backupstorage.keys(self._conf, self._database)
            with self._database.reading() as tx:
                found = [ring for ring in tx.scalars(rings.distinct()) if ring]
            if isinstance(keys, ManagedKeys):
                keys.check()
                # of the manager's own each would be a request
                found = [ring for ring in found if not is_managed(ring)]
            for ring in found:
                keys.secret("", ring)
        except dialects.Trouble as error:
            return _bad(f"the database cannot be asked: {type(error).__name__}")
        except TROUBLE as error:
            return _bad(f"[backup] key_manager: {error}")
        return GOOD

    def broker_answers(self) -> Result:
        """Guests' users are made and revoked there."""
        if not self._conf.rpc.broker_url or not self._conf.rpc.guests_url:
            return _bad("[rpc] broker_url and guests_url are not set")
        if Broker(**rpc.of_broker(self._conf)).alive():
            return GOOD
        return _bad("the management API of the guests' broker does not answer")

    def operations_are_known(self) -> Result:
        """An operation whose kind is gone would be stuck after the upgrade."""
        statement = (
            sa.select(Operation.kind, sa.func.count())
            .where(Operation.state.in_(LIVE))
            .group_by(Operation.kind)
        )
        try:
            with self._database.reading() as tx:
                live = {kind: count for kind, count in tx.execute(statement)}
        except TROUBLE as error:
            return _bad(f"the database cannot be asked: {type(error).__name__}")
        unknown = {kind: live[kind] for kind in live if kind not in FLOWS}
        if unknown:
            told = ", ".join(f"{count} of {kind}" for kind, count in unknown.items())
            return _bad(f"this release cannot carry on: {told}")
        return GOOD

    def vhost_is_ready(self) -> Result:
        """What a release needs in the guests' virtual host may be new."""
        if not self._conf.rpc.broker_url or not self._conf.rpc.guests_url:
            return _bad("[rpc] broker_url and guests_url are not set")
        user = urllib.parse.urlsplit(self._conf.rpc.guests_url).username or ""
        try:
            broker = Broker(**rpc.of_broker(self._conf))
            lacks = broker.vhost_lacks(urllib.parse.unquote(user))
        except TROUBLE as error:
            return _bad(f"the guests' broker cannot be asked: {error}")
        if lacks:
            return _bad(f"{'; '.join(lacks)}: run 'trove-manage broker prepare'")
        return GOOD

    def policy_is_known(self) -> Result:
        """A rule of a name that is none guards nothing, whatever it says."""
        path = self._conf.find_file(self._conf.oslo_policy.policy_file)
        if path is None:
            return GOOD
        if path.endswith(".json"):
            return _bad(
                f"{path} is JSON: oslopolicy-convert-json-to-yaml makes it YAML"
            )
        try:
            text = pathlib.Path(path).read_text(encoding="utf-8")
            said = policy.parse_file_contents(text)
        except TROUBLE as error:
            return _bad(f"{path} cannot be read: {error}")
        unknown = sorted(set(said) - {rule.name for rule in list_rules()})
        # what other rules of the file refer to is somebody's own, and used
        unused = [name for name in unknown if f"rule:{name}" not in text]
        if unused:
            why = f"{path} has rules that nothing asks for: {', '.join(unused)}"
            return Result(upgradecheck.Code.WARNING, why)
        return GOOD

    def options_are_known(self) -> Result:
        """What nobody reads is a name that was mistyped, or went with a release."""
        known = config.names()
        unknown = []
        for path in self._conf.config_file or ():
            parser = configparser.RawConfigParser(strict=False, default_section="")
            try:
                parser.read(path, encoding="utf-8")
            except (configparser.Error, *TROUBLE) as error:
                return _bad(f"{path} cannot be read: {type(error).__name__}")
            unknown += [
                f"[{section}] {name}"
                for section in parser.sections()
                if section in known
                for name in parser.options(section)
                if name not in known[section]
            ]
        if unknown:
            why = f"nobody reads {', '.join(sorted(set(unknown)))}"
            return Result(upgradecheck.Code.WARNING, why)
        return GOOD

    def guests_are_of_this_release(self) -> Result:
        """An older agent does not know all that it can be asked for."""
        own = importlib.metadata.version("trove-dbaas")
        older = (
            sa.select(GuestReport.agent, sa.func.count())
            .join(Instance, Instance.id == GuestReport.instance_id)
            .where(Instance.deleted_at.is_(None), GuestReport.agent != own)
            .group_by(GuestReport.agent)
        )
        return self._told(
            older,
            f"guests have agents of other releases than {own} ({{}}): what is newer "
            "than they are they refuse, until they are rebuilt",
        )

    def rows_are_whole(self) -> Result:
        """Columns that an older release did not fill."""
        empty = (
            sa.select(sa.literal("vcpus"), sa.func.count())
            .select_from(Instance)
            .where(Instance.deleted_at.is_(None), Instance.vcpus.is_(None))
            .having(sa.func.count() > 0)
        )
        return self._told(
            empty,
            "instances lack what an older release did not write ({}): their databases "
            "are configured for one processor until their flavor is changed",
        )

    def _told(self, statement: typing.Any, why: str) -> Result:
        """A warning that counts; nothing to count is all well."""
        try:
            with self._database.reading() as tx:
                found = [f"{count} of {name}" for name, count in tx.execute(statement)]
        except TROUBLE as error:
            return _bad(f"the database cannot be asked: {type(error).__name__}")
        if found:
            return Result(upgradecheck.Code.WARNING, why.format(", ".join(found)))
        return GOOD

    _upgrade_checks = (
        ("The database is at the newest migration", database_is_current),
        ("The seal keys open", keys_open),
        ("The broker answers", broker_answers),
        ("Every live operation is of a known kind", operations_are_known),
        ("Commands to guests are signed", commands_are_signed),
        ("The guests' virtual host is as it must be", vhost_is_ready),
        ("Every rule of the policy file is known", policy_is_known),
        ("Every option is known", options_are_known),
        ("Guests are of this release", guests_are_of_this_release),
        ("Rows are whole", rows_are_whole),
        ("The keys of backups can be had", backup_keys_open),
    )


def main(argv: typing.Sequence[str] | None = None) -> int:
    """``trove-status [--config-file FILE] upgrade check``."""
    threads.prepare()
    argv = sys.argv[1:] if argv is None else argv
    conf = cfg.ConfigOpts()
    config.register(conf, *config.PROCESSES["status"])
    opts.set_defaults(conf)
    with contextlib.closing(Checks(conf)) as checks:
        return upgradecheck.main(conf, "trove", checks, list(argv))


if __name__ == "__main__":
    sys.exit(main())
