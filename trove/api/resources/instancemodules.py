# SPDX-License-Identifier: Apache-2.0
"""The modules of an instance (contract, section 15)."""

import typing

from trove.actions import accounts, instancemodules
from trove.actions.begin import Token
from trove.api import schemas
from trove.api.dates import shown
from trove.api.queries import TRUTH, Query
from trove.api.resource import MEMBER, Ask, Op, Plain, Resource
from trove.model.states import Modular


class Answer(typing.NamedTuple):
    """A module with what is known of it: in the database, or by its guest's word."""

    had: instancemodules.Had
    status: str
    message: str | None
    md5: str | None
    updated: float
    contents: bool = False


def page(ask: Ask) -> list[Answer]:
    """``from_guest`` asks the guest itself; ``include_contents`` shows what was
    applied."""
    id = ask.ids["id"]
    had = instancemodules.of_instance(ask.services, ask.context, id, ask.project)
    contents = _truth(ask.query.get("include_contents"))
    if not _truth(ask.query.get("from_guest")):
        return [_known(each, contents) for each in had]
    running = accounts.Running(ask.services, ask.context, id, ask.project)
    heard = instancemodules.asked_of_guest(running)
    answers = []
    for each in had:
        said = heard.get(each.shown.row.id)
        if said is None:
            state = each.state
            answers.append(
                Answer(each, Modular.WAITING, None, None, state.updated, contents)
            )
            continue
        words = (said.status, said.message, said.md5 or None, said.updated)
        answers.append(Answer(each, *words, contents))
    return answers


def apply(ask: Ask) -> list[Answer]:
    ids = [each["id"].lower() for each in ask.body["modules"]]
    found = instancemodules.apply(
        ask.services, ask.context, ask.ids["id"], ask.project, ids, _token(ask)
    )
    return [_known(each) for each in found]


def remove(ask: Ask) -> None:
    instancemodules.remove(
        ask.services,
        ask.context,
        ask.ids["id"],
        ask.project,
        ask.ids["module"],
        _token(ask),
    )


def view(ask: Ask, answer: typing.Any) -> Plain:
    row, seen = answer.had.shown.row, answer.had.shown
    said = {
        "id": row.id,
        "name": row.name,
        "type": row.type,
        "datastore": seen.datastore or "all",
        "datastore_version": seen.version or "all",
        "tenant": row.project or "all",
        "status": answer.status,
        "message": answer.message,
        "md5": answer.md5,
        "updated": shown(answer.updated),
        "auto_apply": row.auto_apply,
        "visible": row.visible,
        "is_admin": row.is_admin,
    }
    if answer.contents:
        said["contents"] = _contents(ask, answer)
    return said


def _contents(ask: Ask, answer: Answer) -> str | None:
    """Those that were applied, if they are still the module's; an administrator's are
    not shown to others."""
    row = answer.had.shown.row
    mine = ask.context.is_admin or not row.is_admin
    return row.contents if mine and answer.md5 == row.md5 else None


def _known(had: instancemodules.Had, contents: bool = False) -> Answer:
    state = had.state
    return Answer(had, state.status, state.message, state.md5, state.updated, contents)


def _token(ask: Ask) -> Token | None:
    return None if ask.key is None else Token(ask.key, ask.said)


def _truth(text: str | None) -> bool:
    return (text or "").lower() in ("1", "true", "yes")


FROM_GUEST = Query("from_guest", "Ask the guest, not what is known of it.", TRUTH)
CONTENTS = Query("include_contents", "With the contents that were applied.", TRUTH)

RESOURCES = (
    Resource(
        "module",
        "modules",
        (
            Op(
                "GET",
                "",
                page,
                "instance:module_list",
                view=view,
                many=True,
                queries=(FROM_GUEST, CONTENTS),
                said="List an instance's modules.",
            ),
            Op(
                "POST",
                "",
                apply,
                "instance:module_apply",
                who=MEMBER,
                body={**schemas.MODULES, "minItems": 1},
                root="modules",
                view=view,
                many=True,
                dry=True,
                said="Apply modules, in their order.",
            ),
            Op(
                "DELETE",
                "{module}",
                remove,
                "instance:module_remove",
                who=MEMBER,
                dry=True,
                said="Take a module away.",
            ),
        ),
        path="instances/{id}/modules",
    ),
)
