# SPDX-License-Identifier: Apache-2.0
"""The TLS of an instance: a certificate of the deployment's authority, or a user's own.

What is shown is what the guest serves with, as its agent tells it. What a user brings
is read from the key manager with his own token, checked here, and goes sealed to the
guest; nothing of it stays when the operation has ended (contract, 14).
"""

import contextlib
import dataclasses
import typing

from cryptography import x509
from sqlalchemy import orm

from trove import errors
from trove.actions import begin
from trove.actions import instances as actions
from trove.actions.accounts import RUNNING, Running
from trove.actions.begin import Token
from trove.actions.services import Services
from trove.context import Context
from trove.datastores import registry
from trove.datastores.protocol import BASIC, ENFORCED, MTLS
from trove.db.queries import certificates, instances
from trove.model import operations
from trove.model.states import Task
from trove.rpc.messages import TlsShown
from trove.service import pkcs12, servercertificates
from trove.storage.barbican import BINARY, TEXT
from trove.workflow import journal

LARGEST = 64 * 1024
"""Bytes of a PKCS#12 file."""
LONGEST = 1024
"""Bytes of a password."""


class Keys(typing.Protocol):
    """A key manager, open for the caller (``storage/barbican.py``)."""

    def secret(self, what: str, reference: str, kind: str, most: int) -> bytes: ...

    def close(self) -> None: ...


@dataclasses.dataclass(frozen=True, slots=True)
class Shown:
    """A mode, and a certificate: its common name, its end, whom it is for, and itself
    with its chain (PEM)."""

    mode: str
    name: str | None = None
    expires: float = 0.0
    names: tuple[str, ...] = ()
    text: str | None = None


# -- looking ------------------------------------------------------------------------


def show(running: Running) -> Shown:
    """As its guest tells it; without a certificate while it has none."""
    return _shown(running.guest.tls())


def _shown(told: TlsShown) -> Shown:
    if told.certificate is None:
        return Shown(told.mode)
    try:
        found = x509.load_pem_x509_certificate(told.certificate.encode())
        said = servercertificates.named(found)
    except ValueError:
        raise errors.Upstream(why="the guest's certificate is none") from None
    return Shown(told.mode, said.name, said.expires, said.names, told.certificate)


# -- changing -----------------------------------------------------------------------


@dataclasses.dataclass(frozen=True, slots=True)
class Brought:
    """Where a certificate is, and how connections are to be made with it."""

    container: str
    password: str | None
    mode: str | None = None
    """None: without TLS nobody comes."""


class Change:
    """One change of one instance, for one who may ask for it; waited for."""

    def __init__(
        self, services: Services, context: Context, id: str, project: str | None
    ) -> None:
        self._services, self._context = services, context
        self._id, self._project = id, project

    def bring(
        self,
        brought: Brought,
        keys: typing.Callable[[], Keys],
        token: Token | None = None,
    ) -> Shown | None:
        """The certificate is served with from now on."""
        if self._replayed(token):
            return self._begin(None, None, token)
        mode = brought.mode or ENFORCED
        self._refuse_unable(mode)
        found = _read(brought, keys, clients=mode == MTLS)
        input = operations.ChangeSsl(mode, found.pair, found.ca)
        return self._begin(input, found, token)

    def roll_back(self, token: Token | None = None) -> Shown | None:
        """What was before it is served with again."""
        if self._replayed(token):
            return self._begin(None, None, token)
        self._refuse_unable()
        if self._services.asks_guests and not self._guest.tls().brought:
            raise errors.Invalid("There is no other certificate to return to.")
        return self._begin(operations.ChangeSsl(back=True), None, token)

    @property
    def _guest(self) -> typing.Any:
        return self._services.guest(self._id, self._context)

    def _replayed(self, token: Token | None) -> bool:
        project = self._context.project or ""
        return begin.earlier(self._services, project, token) is not None

    def _refuse_unable(self, mode: str = ENFORCED) -> None:
        with self._services.database.reading() as tx:
            version = self._able(tx).version
        if mode == BASIC and version is not None:
            datastore = registry.get(version.manager)
            if not datastore.can.plain:
                what = "connections without TLS"
                raise errors.NotSupported(datastore=datastore.name, what=what)

    def _able(self, tx: orm.Session) -> instances.Seen:
        """Raises for one that is busy, or whose database does not run."""
        seen = instances.seen(tx, self._id, self._project)
        actions.refuse_busy(self._services, seen)
        shown, operating = actions.status(self._services, seen)
        if operating not in RUNNING:
            raise errors.InstanceNotReady(instance=self._id, status=operating or shown)
        return seen

    def _begin(
        self,
        input: operations.ChangeSsl | None,
        found: servercertificates.Checked | None,
        token: Token | None,
    ) -> Shown | None:
        """Without an input: the one that began it before is waited for."""
        context, kind = self._context, operations.SSL

        def work(tx: orm.Session) -> tuple[str, str]:
            row = self._able(tx).instance
            if input is None:  # what began it before is forgotten by now
                raise errors.InstanceBusy(instance=row.id, task="unknown")
            instances.move(tx, row.id, Task.UPDATING)
            plain = input.to_dict()
            opened = begin.open(tx, context, kind, row.project, row.id, plain, token)
            if found is not None:
                addresses = [each["address"] for each in row.addresses or ()]
                about = {"mode": input.mode, **found.told(addresses)}
                event = "instance.ssl.certificate"
                journal.event(tx, row.id, event, about, context.request_id)
                ends = found.said.expires
                certificates.brought(tx, row.id, found.fingerprint, ends)
            return opened, row.id

        services = self._services
        begun = begin.begin(services, context, context.project or "", token, work)
        told = [] if begun is None else [begun.operation]
        if fault := begin.waited(services, told):
            raise errors.CertificateRefused(why=fault)
        return self._after()

    def _after(self) -> Shown | None:
        """What there is now; a guest that is silent must not hide what was accepted."""
        with contextlib.suppress(errors.Unavailable):
            return _shown(self._guest.tls())
        return None


def _read(
    brought: Brought, keys: typing.Callable[[], Keys], *, clients: bool
) -> servercertificates.Checked:
    """With the caller's own token, and checked."""
    with contextlib.closing(keys()) as manager:
        password = None
        if brought.password is not None:
            password = manager.secret("password_ref", brought.password, TEXT, LONGEST)
        data = manager.secret("container_ref", brought.container, BINARY, LARGEST)
    key, certificates = pkcs12.opened(data, password)
    return servercertificates.checked(key, certificates, clients=clients)


def refuse_disabling() -> None:
    """No datastore of ours speaks without it."""
    raise errors.Unsupported(
        "TLS cannot be disabled: databases here always offer it. Ask for the mode "
        "basic if connections without it are to be allowed, too."
    )
