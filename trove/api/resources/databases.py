# SPDX-License-Identifier: Apache-2.0
"""Databases of an instance: what can be asked of them, by whom, and how."""

import typing

from trove.actions.accounts import Running
from trove.api import paging, schemas
from trove.api.queries import PAGING
from trove.api.resource import MEMBER, Ask, Op, Plain, Resource
from trove.api.resources import creation


def running(ask: Ask) -> Running:
    """The instance of the path, if its database runs."""
    return Running(ask.services, ask.context, ask.ids["id"], ask.project)


def named(ask: Ask, name: str) -> Plain:
    """Of a database nothing but its name is shown."""
    return {"name": name}


def page(ask: Ask) -> paging.Page:
    wanted = paging.wanted(ask.query, ask.services.settings.page_size("databases"))
    return paging.Page(*running(ask).databases(wanted.limit, wanted.marker))


def create(ask: Ask) -> None:
    databases = [creation.new_database(each) for each in ask.body["databases"]]
    running(ask).create_databases(databases)


def show(ask: Ask) -> str:
    return running(ask).database(ask.ids["name"])


def delete(ask: Ask) -> None:
    running(ask).delete_database(ask.ids["name"])


def _op(
    method: str, path: str, do: typing.Any, rule: str, said: str, **about: typing.Any
) -> Op:
    return Op(
        method, path, do, f"instance:extension:database:{rule}", said=said, **about
    )


_WRITE: Plain = {"who": MEMBER, "status": 202, "dry": True}

RESOURCES = (
    Resource(
        "database",
        "databases",
        (
            _op(
                "GET",
                "",
                page,
                "index",
                "List databases.",
                view=named,
                many=True,
                queries=PAGING,
            ),
            _op(
                "POST",
                "",
                create,
                "create",
                "Create databases: all of them, or none.",
                body=schemas.DATABASES,
                root="databases",
                one="database",
                **_WRITE,
            ),
            _op("GET", "{name}", show, "show", "Show a database.", view=named),
            _op(
                "DELETE",
                "{name}",
                delete,
                "delete",
                "Delete a database and all that is in it.",
                **_WRITE,
            ),
        ),
        path="instances/{id}/databases",
    ),
)
