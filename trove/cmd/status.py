# SPDX-License-Identifier: Apache-2.0
"""trove-status upgrade check: whether this release can take over what is there.

Codes as everywhere in OpenStack: 0 all well, 1 warnings, 2 something must be done.
"""

import pathlib
import sys
import typing

import sqlalchemy as sa
from oslo_config import cfg
from oslo_upgradecheck import upgradecheck

from trove import config, errors
from trove.config import database, rpc
from trove.db import dialects, migrate, types
from trove.db.session import Database
from trove.db.tables import Operation
from trove.flows import FLOWS
from trove.model.states import LIVE
from trove.rpc import signing
from trove.rpc.broker import Broker
from trove.service import threads

Result = upgradecheck.Result
GOOD = Result(upgradecheck.Code.SUCCESS)

TROUBLE = (errors.TroveError, *dialects.Trouble, OSError, ValueError)


def _bad(why: str) -> Result:
    return Result(upgradecheck.Code.FAILURE, why)


class Checks(upgradecheck.UpgradeCommands):
    """The checks, in the order in which an operator would mend what they find."""

    def __init__(self, conf: cfg.ConfigOpts) -> None:
        self._conf = conf

    @property
    def _database(self) -> Database:
        return Database(**database.arguments(self._conf))

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

    _upgrade_checks = (
        ("The database is at the newest migration", database_is_current),
        ("The seal keys open", keys_open),
        ("The broker answers", broker_answers),
        ("Every live operation is of a known kind", operations_are_known),
        ("Commands to guests are signed", commands_are_signed),
    )


def main(argv: typing.Sequence[str] | None = None) -> int:
    """``trove-status [--config-file FILE] upgrade check``."""
    threads.prepare()
    argv = sys.argv[1:] if argv is None else argv
    conf = cfg.ConfigOpts()
    config.register(conf, *config.PROCESSES["status"])
    return upgradecheck.main(conf, "trove", Checks(conf), list(argv))


if __name__ == "__main__":
    sys.exit(main())
