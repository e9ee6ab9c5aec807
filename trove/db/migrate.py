# SPDX-License-Identifier: Apache-2.0
"""Migrations: where they are, and how a database is brought to one of them."""

import contextlib
import pathlib
import sys
import typing
from collections.abc import Iterator

import sqlalchemy as sa
from alembic import command, config, script
from alembic.runtime import migration

from trove import errors
from trove.db.session import Database

LOCK = 0x74726F76
"""Two at once would run the same migration twice: they queue for this lock."""
PATIENCE = 600


def location() -> pathlib.Path:
    """The migrations: beside the package in a checkout, else where pip put them."""
    beside = pathlib.Path(__file__).resolve().parents[2] / "alembic"
    for place in (beside, pathlib.Path(sys.prefix) / "share" / "trove" / "alembic"):
        # the library itself is in a folder of that name too
        if (place / "env.py").is_file() and (place / "versions").is_dir():
            return place
    raise errors.Internal(why="the migrations (share/trove/alembic) are not installed.")


def upgrade(database: Database, revision: str = "head") -> None:
    """Brings the database forward, by default to the newest; again is nothing."""
    with _alone(database) as settings:
        command.upgrade(settings, revision)


def downgrade(database: Database, revision: str) -> None:
    """Takes the database back to ``revision``, or to nothing (``base``)."""
    with _alone(database) as settings:
        command.downgrade(settings, revision)


def current(database: Database) -> str | None:
    """The revision that the database is at; None when it is empty."""
    with database.engine.connect() as connection:
        return migration.MigrationContext.configure(connection).get_current_revision()


def head() -> str:
    """The newest revision."""
    newest = script.ScriptDirectory.from_config(_settings()).get_current_head()
    if newest is None:
        raise errors.Internal(why="there is no migration.")
    return newest


def known(revision: str) -> bool:
    """Whether this release knows that revision: a later one's it cannot work on."""
    directory = script.ScriptDirectory.from_config(_settings())
    return any(item.revision == revision for item in directory.walk_revisions())


def _settings() -> config.Config:
    settings = config.Config()
    # a % in a path would be taken for an interpolation
    settings.set_main_option("script_location", str(location()).replace("%", "%%"))
    return settings


@contextlib.contextmanager
def _alone(database: Database) -> Iterator[config.Config]:
    settings = _settings()
    with database.engine.connect() as connection:
        name = connection.dialect.name
        unlock: sa.FunctionElement[typing.Any] | None = None
        if name == "postgresql":
            connection.execute(sa.select(sa.func.pg_advisory_lock(LOCK)))
            unlock = sa.func.pg_advisory_unlock(LOCK)
        elif name in ("mysql", "mariadb"):
            got = connection.scalar(
                sa.select(sa.func.get_lock(f"trove-{LOCK}", PATIENCE))
            )
            if not got:
                raise errors.Conflict("Another process is migrating this database.")
            unlock = sa.func.release_lock(f"trove-{LOCK}")
        connection.commit()  # both locks belong to the session, not to a transaction
        settings.attributes["connection"] = connection
        try:
            yield settings
        finally:
            connection.rollback()
            # the pool's connection must not keep it
            if unlock is not None:
                connection.execute(sa.select(unlock))
                connection.commit()
