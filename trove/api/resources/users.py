# SPDX-License-Identifier: Apache-2.0
"""Users of an instance's database, and what they are granted."""

import typing
import urllib.parse

from trove.actions.accounts import User
from trove.api import paging, schemas
from trove.api.queries import PAGING
from trove.api.resource import MEMBER, READER, Ask, Op, Plain, Resource
from trove.api.resources import creation
from trove.api.resources.databases import named, running

CHANGE: Plain = {
    "type": "object",
    "properties": {
        "name": {"anyOf": [schemas.ACCOUNT_NAME, {"type": "null"}]},
        "password": {"anyOf": [schemas.PASSWORD, {"type": "null"}]},
        "host": {"anyOf": [schemas.HOST, {"type": "null"}]},
    },
}


def shown(ask: Ask, user: User) -> Plain:
    databases = [{"name": name} for name in user.databases]
    return {"name": user.name, "host": user.host, "databases": databases}


def page(ask: Ask) -> paging.Page:
    wanted = paging.wanted(ask.query, ask.services.settings.page_size("users"))
    after = wanted.marker
    if after is not None and "@" not in after:
        # a user's marker has one: this is somebody's who quoted it once more
        after = urllib.parse.unquote(after)
    return paging.Page(*running(ask).users(wanted.limit, after))


def create(ask: Ask) -> None:
    users = [creation.new_user(each) for each in ask.body["users"]]
    running(ask).create_users(users)


def change_passwords(ask: Ask) -> None:
    users = [creation.new_user(each) for each in ask.body["users"]]
    running(ask).change_passwords(users)


def show(ask: Ask) -> User:
    return running(ask).user(ask.ids["user"])


def change(ask: Ask) -> None:
    new: Plain = ask.body["user"]
    running(ask).change_user(
        ask.ids["user"], new.get("name"), new.get("host"), new.get("password")
    )


def delete(ask: Ask) -> None:
    running(ask).delete_user(ask.ids["user"])


def grants(ask: Ask) -> tuple[str, ...]:
    return running(ask).user(ask.ids["user"]).databases


def grant(ask: Ask) -> None:
    running(ask).grant(
        ask.ids["user"], [each["name"] for each in ask.body["databases"]]
    )


def revoke(ask: Ask) -> None:
    running(ask).revoke(ask.ids["user"], ask.ids["name"])


def _op(
    method: str, path: str, do: typing.Any, rule: str, said: str, **about: typing.Any
) -> Op:
    about = {"who": READER, **about} if method == "GET" else {**_WRITE, **about}
    return Op(method, path, do, f"instance:extension:{rule}", said=said, **about)


_WRITE: Plain = {"who": MEMBER, "status": 202, "dry": True}
_USERS: Plain = {"body": schemas.USERS, "root": "users", "one": "user"}
_GRANTS: Plain = {"body": schemas.REFERENCES, "root": "databases", "one": "database"}

USERS = (
    _op(
        "GET",
        "",
        page,
        "user:index",
        "List users.",
        view=shown,
        many=True,
        queries=PAGING,
    ),
    _op("POST", "", create, "user:create", "Create users: all, or none.", **_USERS),
    _op(
        "PUT",
        "",
        change_passwords,
        "user:update_all",
        "Change the passwords of users: of all, or of none.",
        **_USERS,
    ),
    _op("GET", "{user}", show, "user:show", "Show a user.", view=shown),
    _op(
        "POST",
        "{user}",
        create,
        "user:create",
        "Create users, as openstacksdk asks for it.",
        **_USERS,
    ),
    _op(
        "PUT",
        "{user}",
        change,
        "user:update",
        "Change a user's name, password or host.",
        body=CHANGE,
    ),
    _op("DELETE", "{user}", delete, "user:delete", "Delete a user."),
)

GRANTS = (
    _op(
        "GET",
        "",
        grants,
        "user_access:index",
        "List the databases that a user was granted.",
        view=named,
        many=True,
    ),
    _op(
        "PUT",
        "",
        grant,
        "user_access:update",
        "Grant a user databases, beside those granted before.",
        **_GRANTS,
    ),
    _op(
        "DELETE",
        "{name}",
        revoke,
        "user_access:delete",
        "Take the grant of a database back.",
    ),
)

RESOURCES = (
    Resource("user", "users", USERS, path="instances/{id}/users"),
    Resource(
        "database", "databases", GRANTS, path="instances/{id}/users/{user}/databases"
    ),
)
