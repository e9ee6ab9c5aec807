# SPDX-License-Identifier: Apache-2.0
"""The TLS of an instance (contract, section 14)."""

import typing

from trove import errors
from trove.actions import ssl
from trove.api import dates
from trove.api.resource import MEMBER, Ask, Op, Plain, Resource
from trove.api.resources.databases import running

REFERENCE: Plain = {"type": ["string", "null"], "minLength": 1, "maxLength": 1024}
CHANGE: Plain = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "enable": {"type": "boolean"},
        "disable": {"type": "boolean"},
        "rollback": {"type": "boolean"},
        "mode": {"enum": ["basic", "enforced", "mtls", None]},
        "container_ref": REFERENCE,
        "password_ref": REFERENCE,
    },
}
VERBS = ("enable", "disable", "rollback")


def show(ask: Ask) -> typing.Any:
    return ssl.show(running(ask))


def change(ask: Ask) -> typing.Any:
    """Says truthfully what cannot be done; there is nothing yet that can."""
    said = ask.body["ssl"]
    verbs = [verb for verb in VERBS if said.get(verb)]
    if len(verbs) != 1:
        raise errors.Invalid(
            "Exactly one of enable, disable and rollback is asked for."
        )
    running(ask)
    if verbs == ["disable"]:
        ssl.refuse_disabling()
    if verbs == ["rollback"]:
        ssl.refuse_rollback()
    if not said.get("container_ref"):
        raise errors.Invalid("To enable needs the container_ref of a certificate.")
    ssl.refuse_bringing()


def view(ask: Ask, found: typing.Any) -> Plain:
    said: Plain = {"status": "on", "mode": ssl.MODE, "restart_required": False}
    if found is not None:
        said["certificate"] = {
            "cn": found.name,
            "expire_at": dates.shown(found.expires),
            "san": list(found.names),
        }
        if ask.query.get("include_certificate", "").lower() in ("true", "1"):
            said["certificate"]["payload"] = found.text
    return said


RESOURCES = (
    Resource(
        "ssl",
        "ssl",
        (
            Op(
                "GET",
                "",
                show,
                "instance:ssl_show",
                view=view,
                said="Show how an instance's connections are encrypted.",
            ),
            Op(
                "POST",
                "",
                change,
                "instance:ssl_update",
                who=MEMBER,
                body=CHANGE,
                view=view,
                said="Change how an instance's connections are encrypted.",
            ),
        ),
        path="instances/{id}/ssl",
    ),
)
