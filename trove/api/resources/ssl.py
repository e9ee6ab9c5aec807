# SPDX-License-Identifier: Apache-2.0
"""The TLS of an instance (contract, section 14)."""

import typing

from trove import errors
from trove.actions import instances, ssl
from trove.actions.begin import Token
from trove.api import dates
from trove.api.queries import TRUTH, Query
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
CERTIFICATE = Query("include_certificate", "With the certificate itself.", TRUTH)
VERBS = ("enable", "disable", "rollback")


def show(ask: Ask) -> typing.Any:
    return ssl.show(running(ask))


def change(ask: Ask) -> typing.Any:
    """One verb; what belongs to another is refused rather than passed over."""
    said = ask.body["ssl"]
    verbs = [verb for verb in VERBS if said.get(verb)]
    if len(verbs) != 1:
        raise errors.Invalid(
            "Exactly one of enable, disable and rollback is asked for."
        )
    instances.known(ask.services, ask.ids["id"], ask.project)
    if verbs == ["disable"]:
        ssl.refuse_disabling()
    token = None if ask.key is None else Token(ask.key, ask.said)
    wanted = ssl.Change(ask.services, ask.context, ask.ids["id"], ask.project)
    container, password = said.get("container_ref"), said.get("password_ref")
    mode = said.get("mode")
    if verbs == ["rollback"]:
        if container or password or mode:
            raise errors.Invalid("A rollback takes nothing besides itself.")
        return wanted.roll_back(token)
    if not container:
        raise errors.Invalid("To enable needs the container_ref of a certificate.")
    brought = ssl.Brought(container, password, mode)
    return wanted.bring(brought, ask.key_manager, token)


def view(ask: Ask, found: typing.Any) -> Plain:
    """No mode and no certificate of a guest that did not say."""
    said: Plain = {"status": "on", "restart_required": False}
    if found is None:
        return said
    said["mode"] = found.mode
    if found.text is not None:
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
                queries=(CERTIFICATE,),
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
                queries=(CERTIFICATE,),
                dry=True,
                said="Have an instance serve with a certificate of your own, or with "
                "the one before it.",
            ),
        ),
        path="instances/{id}/ssl",
    ),
)
