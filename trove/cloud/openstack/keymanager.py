# SPDX-License-Identifier: Apache-2.0
"""The service's own secrets in Barbican, by castellan.

castellan is an extra (``barbican``), so it is loaded when such a key manager is opened,
and only then. Who we are is what ``[cloud]`` says: castellan asks with that identity,
and has no password of its own. Two things it lacks: a time-out, which the identity
gives its sessions; and a look for a name, which is one request of ours.
"""

import contextlib
import typing

from keystoneauth1 import plugin
from oslo_config import cfg
from oslo_context import context as oslo_context

from trove import errors
from trove.cloud import protocol
from trove.cloud.openstack import faults
from trove.cloud.openstack.session import Access

BITS = 256
POLLS, PAUSE = 5, 1
"""How often castellan looks whether a key is made, and the seconds in between. One that
takes longer is found by its name the next time."""
SEVERAL = 10
"""Of one name there are two when two made one at once, and hardly more."""
SERVICE = "key-manager"


class NoLibrary(errors.Internal):
    """The extra is not installed."""

    sentence = (
        "castellan is not installed, which [backup] key_manager = barbican needs: "
        "pip install 'trove-dbaas[barbican]'."
    )


class KeyManager:
    """``storage.managed.Manager``. ``conf`` is where castellan's own options are
    ([key_manager], [barbican]): what [cloud] says is their default."""

    def __init__(self, access: Access, conf: cfg.ConfigOpts) -> None:
        self._access = access
        self._keys, self._wrapping = _library(access, conf)
        self._identity = RequestContext(access)
        self._endpoint = conf.barbican.barbican_endpoint

    def check(self) -> None:
        """That there is one, as far as Keystone knows; for who wants to hear of it."""
        self._where()

    def named(self, name: str) -> list[str]:
        """The ids of the secrets of that name, the oldest first."""
        about = {"name": name, "sort": "created:asc", "limit": str(SEVERAL)}
        with _told():
            url = f"{self._where()}/v1/secrets"
            with self._access.using("look for a key") as clients:
                accept = {"Accept": "application/json"}
                said = clients.session.get(url, params=about, headers=accept)
                found = said.json()["secrets"]
                return [one["secret_ref"].rpartition("/")[2] for one in found]

    def make(self, name: str) -> str:
        """A new secret; Barbican makes it, so that it is in no request of ours."""
        with self._asking("make a key", making=True):
            made = self._keys.create_key(self._identity, "AES", BITS, name=name)
        return str(made)

    def secret(self, id: str) -> bytes:
        """Its bytes; ``errors.NotFound`` where there is none."""
        with self._asking(f"fetch the key {id}"):
            found = self._keys.get(self._identity, id).get_encoded()
        return bytes(found or b"")

    def delete(self, id: str) -> None:
        """One that is gone is none to complain of."""
        with contextlib.suppress(errors.NotFound), self._asking(f"delete the key {id}"):
            self._keys.delete(self._identity, id)

    def _where(self) -> str:
        return str(self._endpoint or self._access.endpoint(SERVICE)).rstrip("/")

    @contextlib.contextmanager
    def _asking(self, what: str, *, making: bool = False) -> typing.Iterator[None]:
        """castellan's failures, by what it heard: it hands on no status."""
        with _told():
            try:
                yield
            except faults.expected(OF_A_SERVICE) as error:
                heard: BaseException = error
                while isinstance(heard, self._wrapping) and heard.__context__:
                    heard = heard.__context__
                raise faults.meaning(
                    heard, what, OF_A_SERVICE, making=making
                ) from error


OF_A_SERVICE = {"content-type": "application/json"}
"""castellan keeps no headers: a 404 of its is believed to be Barbican's."""


@contextlib.contextmanager
def _told() -> typing.Iterator[None]:
    """The cloud's words in those of ``storage.managed.Manager``."""
    try:
        yield
    except protocol.Passing as error:
        raise errors.Unavailable(what="The key manager") from error
    except protocol.Refused as error:
        kind = errors.NotFound if error.status == 404 else errors.Forbidden
        raise kind(f"The key manager refuses: {error.facts['why']}.") from error


class RequestContext(oslo_context.RequestContext):
    """Who asks, as castellan wants to hear it: older ones go by the class's name."""

    def __init__(self, access: Access) -> None:
        super().__init__(overwrite=False)
        self._auth = _Patient(access)

    def get_auth_plugin(self) -> plugin.BaseAuthPlugin:
        """castellan makes a session of it."""
        return self._auth


class _Patient(plugin.BaseAuthPlugin):
    """Our identity, with our time-outs for whatever session asks by it: a session asks
    its plugin for headers, or where a service is, before it sends anything."""

    def __init__(self, access: Access) -> None:
        super().__init__()
        about = access.settings
        self._auth = access.auth
        self._within = about.connect_timeout, about.read_timeout

    def get_headers(self, session: typing.Any) -> typing.Any:
        """With the token."""
        session.timeout = self._within
        return self._auth.get_headers(session)

    def get_endpoint(self, session: typing.Any, **about: typing.Any) -> typing.Any:
        """Of the catalogue."""
        session.timeout = self._within
        return self._auth.get_endpoint(session, **about)

    def invalidate(self) -> bool:
        """The token is refused: the next one is new."""
        return bool(self._auth.invalidate())


def _library(
    access: Access, conf: cfg.ConfigOpts
) -> tuple[typing.Any, type[Exception]]:
    """castellan's key manager, and what it wraps others' errors in."""
    try:
        from castellan import key_manager, options
        from castellan.common.exception import CastellanException
    except ImportError as error:
        raise NoLibrary() from error
    about = access.settings
    options.set_defaults(
        conf,
        backend="barbican",
        barbican_endpoint_type=about.interface,
        verify_ssl=not about.insecure,
        verify_ssl_path=about.cafile,
        number_of_retries=POLLS,
        retry_delay=PAUSE,
    )
    conf.set_default("barbican_region_name", about.region_name, "barbican")
    return key_manager.API(conf), CastellanException
