# SPDX-License-Identifier: Apache-2.0
"""Copies of an instance's data that an upgrade left on its volume (ADR 17, 29).

Nobody's data are deleted to make an error go away, nor because a new version was made
of them: what a failed version had made of them (``-failed``), and the files of one that
the next did not take, stay. They are told with their size, under the operation's id,
and go when the instance's owner says so.
"""

from sqlalchemy import orm

from trove import errors
from trove.actions import begin
from trove.actions.accounts import Running
from trove.actions.begin import Token
from trove.actions.instances import refuse_unable
from trove.actions.services import Services
from trove.context import Context
from trove.db.queries import instances
from trove.model import operations
from trove.model.states import Task
from trove.rpc.messages import CopyShown

Copy = CopyShown


def page(running: Running) -> list[Copy]:
    """By the guest's word; the oldest first."""
    found: tuple[Copy, ...] = running.guest.list_copies()
    return sorted(found, key=lambda copy: (copy.made, copy.name))


def discard(
    services: Services,
    context: Context,
    running: Running,
    name: str,
    project: str | None,
    token: Token | None,
) -> None:
    """NONE -> UPDATING: the copy goes. There must be one of that name."""
    id = running.id
    if not services.rehearsed and name not in [copy.name for copy in page(running)]:
        raise errors.NotFound(what="Copy", id=name)

    def work(tx: orm.Session) -> tuple[str, str]:
        seen = instances.seen(tx, id, project)
        refuse_unable(services, seen)
        instances.move(tx, id, Task.UPDATING)
        kind, owner = operations.DISCARD, seen.instance.project
        input = operations.DiscardCopy(name).to_dict()
        return begin.open(tx, context, kind, owner, id, input, token), id

    begin.begin(services, context, context.project or "", token, work)
