# SPDX-License-Identifier: Apache-2.0
"""The way into an OpenStack: credentials, sessions, and clients that are lent out.

novaclient, cinderclient and openstacksdk are not made for several threads, so a set of
clients is lent to one call at a time and comes back with its connections still open.
There are never more sets than calls at once. The token is shared by all of them.
"""

import collections
import collections.abc
import contextlib
import dataclasses
import functools
import typing

from keystoneauth1 import exceptions as ks_exceptions
from keystoneauth1 import session as ks_session
from keystoneauth1.identity import v3

from trove.cloud import protocol
from trove.cloud.openstack import faults
from trove.model import naming

OLDEST_COMPUTE = (2, 52)
"""Nova takes tags with the order for a server since this microversion (Pike)."""

NEWEST_COMPUTE, REBUILDS_VOLUMES = (2, 79), (2, 93)
"""The newest that we speak; and the one since which Nova (Zed) builds a root anew that
is a volume."""
VOLUME_VERSION = "3.42"
"""Cinder grows a volume in use since this microversion (Pike)."""

_TAG = 60


@dataclasses.dataclass(frozen=True, kw_only=True)
class Settings:
    """Where the cloud is, who we are there, and how long we wait for it (seconds)."""

    auth_url: str
    deployment: str
    username: str | None = None
    password: str = dataclasses.field(default="", repr=False)
    user_domain_name: str = "Default"
    project_name: str | None = None
    project_domain_name: str = "Default"
    application_credential_id: str | None = None
    application_credential_secret: str = dataclasses.field(default="", repr=False)
    region_name: str | None = None
    interface: str = "public"
    cafile: str | None = None
    insecure: bool = False
    extend_in_use: bool = True
    """Whether a volume grows while a server has it."""
    root_volume: int | None = None
    """GiB of a volume that is a server's root; None: the root is on its host."""
    root_volume_type: str | None = None
    connect_timeout: float = 5.0
    read_timeout: float = 60.0

    def __post_init__(self) -> None:
        tag = naming.DEPLOYMENT_TAG + self.deployment
        if not self.deployment or len(tag) > _TAG or set(tag) & set(",/"):
            raise ValueError(f"{self.deployment!r} cannot be told in a Nova tag")

    @property
    def verify(self) -> bool | str:
        """What requests wants to know about the server's certificate."""
        return False if self.insecure else self.cafile or True


class Session(ks_session.Session):
    """keystoneauth's session, with two time-outs, that keeps the last reply's headers.

    It tries once more after a 401, with a new token; there is no other repetition in
    it, for when to try again is the operation's to say.
    """

    def __init__(self, auth: typing.Any, settings: Settings) -> None:
        super().__init__(auth=auth, verify=settings.verify, app_name="trove")
        # else requests looks for a .netrc, in the file system, at every request
        self.session.auth = _as_it_is
        self._within = (settings.connect_timeout, settings.read_timeout)
        self.headers: collections.abc.Mapping[str, str] = {}

    def request(  # type: ignore[override]  # all that is not named is passed on
        self, url: str, method: str, **kwargs: typing.Any
    ) -> typing.Any:
        """One request and its reply (redirects and a new token included)."""
        kwargs.setdefault("timeout", self._within)
        # openstacksdk has Glance's 503 tried five times more, asleep in between.
        kwargs.update(connect_retries=0, status_code_retries=0)
        self.headers = {}
        hooks = {"response": self._keep}
        return super().request(url, method, hooks=hooks, **kwargs)

    def _keep(self, reply: typing.Any, **_: object) -> None:
        self.headers = reply.headers


class Clients:
    """The libraries' clients over one session, each made when it is first needed."""

    def __init__(self, access: "Access") -> None:
        self.session = Session(access.auth, access.settings)
        self._access = access
        self._where = {
            "region_name": access.settings.region_name,
            "endpoint_type": access.settings.interface,
        }

    @functools.cached_property
    def nova(self) -> typing.Any:
        """Servers and flavors."""
        from novaclient import client

        version = self._access.compute_version(self.session)
        self.session.headers = {}  # nobody has answered the call itself yet
        return _without_cache_files(
            client.Client(version, session=self.session, **self._where),
            ("servers", "flavors"),
        )

    @functools.cached_property
    def cinder(self) -> typing.Any:
        """Volumes."""
        from cinderclient import client

        return _without_cache_files(
            client.Client(
                VOLUME_VERSION,
                session=self.session,
                service_type="block-storage",
                **self._where,
            ),
            ("volumes", "volume_snapshots"),
        )

    @functools.cached_property
    def sdk(self) -> typing.Any:
        """Networks and images."""
        from openstack import connection

        return connection.Connection(
            session=self.session,
            region_name=self._where["region_name"],
            interface=self._where["endpoint_type"],
            # Else it lists this host's interfaces, by a family of sockets that the
            # systemd units forbid, to choose among a server's addresses: we never do.
            force_ipv4=True,
        )

    def close(self) -> None:
        """Ends the connections that are open."""
        self.session.session.close()


Listed = typing.TypeVar("Listed")
_LISTINGS = 5


class Access:
    """One identity in one region, for any number of threads."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.auth = _identity(settings)
        self._idle: collections.deque[Clients] = collections.deque()
        self._compute_version: str | None = None

    @contextlib.contextmanager
    def using(
        self, what: str, *, making: bool = False
    ) -> collections.abc.Iterator[Clients]:
        """Lends clients for the call ``what``; a failure leaves as a protocol error."""
        try:
            clients = self._idle.pop()
        except IndexError:
            clients = Clients(self)
        clients.session.headers = {}
        try:
            yield clients
        except faults.expected(clients.session.headers) as error:
            said = clients.session.headers
            raise faults.meaning(error, what, said, making=making) from error
        finally:
            self._idle.append(clients)

    def listed(
        self, what: str, listing: collections.abc.Callable[[Clients], Listed]
    ) -> Listed:
        """What ``listing`` gathers, from as many pages as there are.

        A page is asked for by the last thing of the one before; when that is deleted
        between the two, the cloud refuses the marker, and the list begins anew.
        """
        for _ in range(_LISTINGS):
            try:
                with self.using(what) as clients:
                    return listing(clients)
            except protocol.Refused as refused:
                # Cinder's is a 404, which for a list can be nothing else.
                if refused.status != 404 and "marker" not in str(refused).lower():
                    raise
                last = refused
        raise last

    def service_token(self, *, fresh: bool) -> str:
        """Ours, to go beside a user's; ``fresh``: the one that we have is refused."""
        if fresh:
            self.auth.invalidate()
        with self.using("get a token") as clients:
            return str(clients.session.get_token())

    def endpoint(self, service: str) -> str:
        """Where a service is, of that type in Keystone's catalogue."""
        with self.using(f"look for the {service} service") as clients:
            try:
                found = clients.session.get_endpoint(
                    service_type=service,
                    region_name=self.settings.region_name,
                    interface=self.settings.interface,
                )
            except ks_exceptions.EndpointNotFound:  # else it is None
                found = None
        if not found:
            raise protocol.Refused(f"the catalogue has no {service}", status=404)
        return str(found)

    def close(self) -> None:
        """Ends what is not lent out; the next call makes new clients."""
        while self._idle:
            self._idle.pop().close()

    def compute_version(self, session: Session) -> str:
        """The newest microversion that both we and this Nova speak."""
        if self._compute_version is None:
            data = session.get_endpoint_data(
                service_type="compute",
                region_name=self.settings.region_name,
                interface=self.settings.interface,
            )
            newest = (data and data.max_microversion) or NEWEST_COMPUTE
            ours = REBUILDS_VOLUMES if self.settings.root_volume else NEWEST_COMPUTE
            both = min(tuple(newest), ours)
            if both < OLDEST_COMPUTE:
                raise protocol.Refused("this Nova is too old", status=406)
            self._compute_version = ".".join(map(str, both))
        return self._compute_version


def _as_it_is(request: typing.Any) -> typing.Any:
    """A request needs nothing more: the token is among its headers."""
    return request


def _identity(settings: Settings) -> typing.Any:
    if settings.application_credential_id:
        return v3.ApplicationCredential(
            auth_url=settings.auth_url,
            application_credential_id=settings.application_credential_id,
            application_credential_secret=settings.application_credential_secret,
        )
    return v3.Password(
        auth_url=settings.auth_url,
        username=settings.username,
        password=settings.password,
        user_domain_name=settings.user_domain_name,
        project_name=settings.project_name,
        project_domain_name=settings.project_domain_name,
    )


def _without_cache_files(client: typing.Any, nouns: tuple[str, ...]) -> typing.Any:
    # For shells' completion both libraries append every id they see to a file in the
    # home directory; a daemon would fill it for ever.
    for noun in nouns:
        manager = getattr(client, noun)
        manager.completion_cache = lambda *_, **__: contextlib.nullcontext()
    return client
