# SPDX-License-Identifier: Apache-2.0
"""Who asks: user, project, roles, request id; to and from a plain dict.

Pure: no oslo.context here, so that a guest can import it for nothing. The request id is
the one that travels in ``x-openstack-request-id`` and in every log line.
"""

import dataclasses
import typing
import uuid


def new_request_id() -> str:
    """A fresh ``req-<uuid>``, the format OpenStack services share."""
    return f"req-{uuid.uuid4()}"


@dataclasses.dataclass(frozen=True, slots=True)
class Context:
    """The caller of a request, an operation or a message."""

    project: str | None = None
    user: str | None = None
    roles: tuple[str, ...] = ()
    is_admin: bool = False
    request_id: str = dataclasses.field(default_factory=new_request_id)
    broker_user: str | None = None
    """Set by the message driver from what the broker validated; never by a sender."""

    def to_dict(self) -> dict[str, typing.Any]:
        """For the wire: no token, and never the broker's word about us."""
        return {
            "project": self.project,
            "user": self.user,
            "roles": list(self.roles),
            "is_admin": self.is_admin,
            "request_id": self.request_id,
        }

    @classmethod
    def from_dict(cls, data: dict[str, typing.Any]) -> "Context":
        """From the wire; fields it does not know are dropped."""
        return cls(
            project=data.get("project"),
            user=data.get("user"),
            roles=tuple(data.get("roles") or ()),
            is_admin=bool(data.get("is_admin")),
            request_id=data.get("request_id") or new_request_id(),
            broker_user=data.get("broker_user"),
        )
