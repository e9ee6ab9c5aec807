# SPDX-License-Identifier: Apache-2.0
"""The first contact: the bootstrap credential is exchanged for one only we know.

Everything that is said was written down before it is said, and what is answered is
written down before the next thing is done. So a crash on any line is recovered by doing
it all again: our own password is tried first (it may have been taken already), then the
bootstrap one.
"""

import logging
import ssl
import typing

import amqp
from amqp import exceptions as amqp_errors

from trove import errors
from trove.guestagent import identity as identities
from trove.guestagent import seed
from trove.guestagent.host import Host
from trove.guestagent.identity import Identity
from trove.guestagent.places import Places
from trove.rpc import passwords
from trove.rpc.messages import Enrolled, Enrolment

LOG = logging.getLogger(__name__)


class Refused(errors.Unavailable):
    """The broker takes neither of our passwords; the control plane may yet mend it."""

    sentence = "the broker refuses this guest's passwords"


class Door(typing.Protocol):
    """How the control plane is reached before the guest is enrolled."""

    def accepts(self, password: str) -> bool:
        """Whether the broker takes this password; ``errors.Unavailable``: no broker."""

    def enrol(self, password: str, enrolment: Enrolment) -> Enrolled:
        """Tells the conductor who we are."""


def ensure(
    places: Places, host: Host, identity: Identity, bootstrap: str, door: Door
) -> Identity:
    """The identity once it is enrolled; the bootstrap password is then forgotten."""
    if not identity.enrolled:
        password = _password(identity, bootstrap, door)
        answer = door.enrol(
            password,
            Enrolment(
                password_hash=passwords.hash_password(identity.password),
                public_key=identity.public_key,
                csr=identities.ask(places, host, identity.instance),
            ),
        )
        identities.keep_certificate(places, host, answer.certificate, answer.ca)
        identity = identities.enrolled(places, identity)
        LOG.info("this guest has enrolled")
    # Also when it was enrolled before: the crash may have come right here
    seed.forget(places)
    return identity


def _password(identity: Identity, bootstrap: str, door: Door) -> str:
    if door.accepts(identity.password):
        return identity.password
    if bootstrap and door.accepts(bootstrap):
        return bootstrap
    raise Refused()


def accepts(
    hosts: typing.Sequence[str], vhost: str, user: str, password: str, ca_file: str
) -> bool:
    """Whether the broker takes a password: connects over TLS, and closes.

    oslo.messaging tries for ever when a password is refused, and does not say so.
    """
    why: object = "no broker is named"
    for host in hosts:
        name = host.strip().rpartition(":")[0].strip("[]")
        connection = amqp.Connection(
            host=host.strip(),
            userid=user,
            password=password,
            virtual_host=vhost,
            connect_timeout=10,
            read_timeout=10,
            write_timeout=10,
            ssl={
                "ca_certs": ca_file,
                "cert_reqs": ssl.CERT_REQUIRED,
                "server_hostname": name,
            },
        )
        try:
            connection.connect()
            connection.close()
            return True
        except (amqp_errors.AccessRefused, amqp_errors.NotAllowed):
            return False
        except (OSError, amqp_errors.AMQPError) as error:
            why = error
        finally:
            connection.collect()
    LOG.info("no broker can be reached: %s", why)
    raise errors.Unavailable(what="the broker")
