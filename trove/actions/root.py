# SPDX-License-Identifier: Apache-2.0
"""The user root of an instance: who asked for it is written down before it is made.

Its password is told once, to whoever asked, and kept nowhere (S23).
"""

import secrets

from trove import errors
from trove.actions.accounts import Running
from trove.actions.services import Services
from trove.context import Context
from trove.db.queries import instances, root
from trove.db.tables import RootDeed
from trove.workflow import journal

NAME = "root"
"""Whatever the engine calls it: what clients log in with."""

NOT_DONE = (
    errors.Invalid,
    errors.Forbidden,
    errors.NotFound,
    errors.Conflict,
    errors.Unsupported,
)
"""A guest that answers one of these has changed nothing. Of others nobody knows."""


def enabled(services: Services, running: Running) -> bool:
    """Whether it was enabled, and not disabled since."""
    _able(running)
    with services.database.reading() as tx:
        return root.enabled(tx, running.id)


def enable(
    services: Services, context: Context, running: Running, password: str | None
) -> str:
    """The password: what was asked for, or a new one. Again is with another one."""
    _able(running)
    if password is None:
        password = secrets.token_urlsafe(24)
    running.datastore.naming.check_password(password)
    sealed = running.sealed({"password": password})
    deed = _written(services, context, running.id, root.ENABLE)
    try:
        running.guest.enable_root(sealed)
    except NOT_DONE:
        _settled(services, running.id, deed, root.REFUSED)
        raise
    _settled(services, running.id, deed, root.DONE)
    return password


def disable(services: Services, context: Context, running: Running) -> None:
    """Nobody is root from now on; ``errors.NotFound`` if nobody was."""
    if not enabled(services, running):
        raise errors.NotFound(f"Root is not enabled on the instance {running.id}.")
    deed = _written(services, context, running.id, root.DISABLE)
    try:
        running.guest.disable_root()
    except NOT_DONE:
        _settled(services, running.id, deed, root.REFUSED)
        raise
    _settled(services, running.id, deed, root.DONE)


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


def _written(services: Services, context: Context, id: str, deed: str) -> int:
    def work(tx: journal.Transaction) -> int:
        by = {"user": context.user}
        journal.event(tx, id, f"instance.root_{deed}", by, context.request_id)
        return root.write(tx, id, deed, context)

    return services.database.run(work)


def _settled(services: Services, id: str, deed: int, state: str) -> None:
    services.database.run(lambda tx: root.settle(tx, id, deed, state))
