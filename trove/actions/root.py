# SPDX-License-Identifier: Apache-2.0
"""The user root of an instance: who asked for it is written down before it is made.

Its password is told once, to whoever asked, and kept nowhere (S23). So the repetition
of a request that was answered cannot be answered with it; it is refused in a sentence.
"""

import functools
import secrets

from sqlalchemy import orm

from trove import errors
from trove.actions.accounts import Running
from trove.actions.deeds import Beside
from trove.actions.services import Services
from trove.context import Context
from trove.db.queries import instances, root
from trove.db.tables import RootDeed

NAME = "root"
"""Whatever the engine calls it: what clients log in with."""


def enabled(services: Services, running: Running) -> bool:
    """Whether it was enabled, and not disabled since."""
    _able(running)
    with services.database.reading() as tx:
        return root.enabled(tx, running.id)


def enable(
    services: Services, context: Context, running: Running, password: str | None
) -> str:
    """The password: what was asked for, or a new one. Again is with another one.

    Raises ``errors.PasswordGone`` when the same request made a password before.
    """
    _able(running)
    wanted = password if password is not None else secrets.token_urlsafe(24)
    running.datastore.naming.check_password(wanted)
    sealed = running.sealed({"password": wanted})
    done = running.change(
        "root_enable",
        lambda again: running.guest.enable_root(sealed),
        Beside(
            lambda tx: root.write(tx, running.id, root.ENABLE, context),
            functools.partial(_ended, running.id),
        ),
    )
    if not done and password is None:
        raise errors.PasswordGone()
    return wanted


def disable(services: Services, context: Context, running: Running) -> None:
    """Nobody is root from now on; ``errors.NotFound`` if nobody was."""

    _able(running)

    def asked(tx: orm.Session) -> int:
        if not root.enabled(tx, running.id):
            raise errors.NotFound(f"Root is not enabled on the instance {running.id}.")
        return root.write(tx, running.id, root.DISABLE, context)

    running.change(
        "root_disable",
        lambda again: running.guest.disable_root(),
        Beside(asked, functools.partial(_ended, running.id)),
    )


def history(
    services: Services, id: str, project: str | None
) -> tuple[str, RootDeed | None]:
    """The id of the instance, and the last time that root was enabled."""
    with services.database.reading() as tx:
        found = instances.load(tx, id, project).id
        return found, root.enabling(tx, found)


def _able(running: Running) -> None:
    if not running.datastore.can.root:
        raise errors.NotSupported(datastore=running.datastore.name, what=NAME)


def _ended(id: str, tx: orm.Session, number: int, state: str) -> None:
    root.settle(tx, id, number, state)
