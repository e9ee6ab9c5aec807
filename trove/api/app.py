# SPDX-License-Identifier: Apache-2.0
"""The paste factories, and what they are handed: the one door where options come in.

``build`` makes the Services of a process from its options; ``application`` is the pecan
app alone, ``pipeline`` the same with everything of ours around it (without paste, for
whoever brings another authenticator).
"""

import functools
import os
import typing
from collections.abc import Callable

from oslo_config import cfg
from oslo_middleware import cors, request_id
from paste import deploy

from trove import config
from trove.api import policy, services
from trove.api.middleware import ratelimit as rates
from trove.api.middleware import sourcelimit as sources
from trove.api.middleware.context import ContextOf
from trove.api.middleware.faults import Faults
from trove.api.middleware.ratelimit import Buckets, RateLimit
from trove.api.middleware.requestlog import RequestLog
from trove.api.middleware.sourcelimit import SourceLimit
from trove.api.middleware.tokenauth import TokenAuth
from trove.api.policy import Policy
from trove.api.resources import TABLE
from trove.api.router import Application, Root
from trove.api.services import Services
from trove.api.versions import Versions
from trove.cloud import registry
from trove.config import cloud, database
from trove.context import Context
from trove.db.session import Database
from trove.db.types import use_keys
from trove.rpc import transport
from trove.rpc.interface import Proxy
from trove.rpc.relay import Guests, Line
from trove.rpc.taskmanager import TaskManager
from trove.service.bell import Bell

GROUPS = ("api", "quota", "database", "cloud", "rpc", "backup", "recycle")

Wsgi = typing.Any
Filter = Callable[[Wsgi], Wsgi]
TaskManagers = Callable[[Context], typing.Any]
"""Makes the proxy of any taskmanager, for who asks."""


# -- from options -------------------------------------------------------------------


def build(conf: cfg.ConfigOpts) -> Services:
    """The services that the options name. Nothing is connected to yet."""
    config.register(conf, *GROUPS)
    use_keys(conf.database.seal_keys)
    store, taskmanager = Database(**database.arguments(conf)), _taskmanager(conf)
    ring = _doorbell(taskmanager)
    if crash := os.environ.get("TROVE_CRASH"):  # a test wants this process to die
        from trove.service.crashpoints import Points

        points = Points(crash, "api")
        store, ring = points.database(store), points.call("api.ring", ring)
    return Services(
        store,
        registry.connect(**cloud.arguments(conf)),
        Bell(ring),
        services.settings(conf),
        guests=taskmanager and _guests(taskmanager),
    )


def _taskmanager(conf: cfg.ConfigOpts) -> TaskManagers | None:
    """Makes the proxy of any taskmanager; None where there is no broker."""
    if not conf.rpc.control_url:
        return None
    return functools.partial(Proxy, TaskManager, transport.control(conf))


def _guests(taskmanager: TaskManagers) -> Guests:
    """Guests, asked through a taskmanager: the API holds no key that they obey."""

    def guest(instance: str, context: Context) -> Line:
        return Line(taskmanager(context), instance)

    return guest


def _doorbell(taskmanager: TaskManagers | None) -> Callable[[str], None]:
    if taskmanager is None:
        return lambda operation_id: None
    proxy = taskmanager(Context())

    def ring(operation_id: str) -> None:
        proxy.run(operation_id)

    return ring


@functools.cache
def shared() -> Services:
    """This process's services, made once for all that paste loads."""
    return build(cfg.CONF)


@functools.cache
def _shared_policy() -> Policy:
    return Policy(policy.enforcer(cfg.CONF))


def load(path: str, name: str = "trove") -> Wsgi:
    """The application that a paste file describes; the options must be parsed."""
    return deploy.loadapp(f"config:{path}", name=name)


# -- the application ----------------------------------------------------------------


def application(given: Services, rules: Policy) -> Wsgi:
    """The pecan app, which trusts the context it is handed."""
    return Application(Root(TABLE, rules, given))


def pipeline(
    given: Services,
    rules: Policy,
    authenticate: Filter,
    buckets: Buckets | None = None,
    strangers: Buckets | None = None,
) -> Wsgi:
    """Everything of ours in its order, around ``authenticate``."""
    inner = application(given, rules)
    inner = RateLimit(inner, buckets or Buckets(()))
    inner = TokenAuth(ContextOf(inner, rules.is_admin))
    inner = SourceLimit(authenticate(inner), strangers or Buckets(()))
    inner = Versions(inner, given.settings.public_endpoint)
    return request_id.RequestId(RequestLog(Faults(inner)))


# -- for paste ----------------------------------------------------------------------


def app_factory(global_conf: dict[str, str], **local_conf: str) -> Wsgi:
    """The pecan app."""
    return application(shared(), _shared_policy())


def healthcheck_first(
    loader: typing.Any, global_conf: dict[str, str], **local_conf: str
) -> Wsgi:
    """A composite: ``/healthcheck`` is one app's, everything else another's."""
    health = loader.get_app(local_conf["healthcheck"], global_conf=global_conf)
    rest = loader.get_app(local_conf["api"], global_conf=global_conf)

    def composite(environ: dict[str, typing.Any], start: typing.Any) -> typing.Any:
        path = environ.get("PATH_INFO", "").rstrip("/")
        return (health if path == "/healthcheck" else rest)(environ, start)

    return composite


def cors_factory(global_conf: dict[str, str], **local_conf: str) -> Filter:
    """CORS by the group [cors] of the process's own options (paste has no such way)."""
    cors.set_defaults(
        allow_headers=["X-Auth-Token", "X-Openstack-Request-Id", "Idempotency-Key"],
        expose_headers=["X-Openstack-Request-Id", "Retry-After"],
        allow_methods=["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD"],
    )
    return lambda app: cors.CORS(app, cfg.CONF)


def faults_factory(global_conf: dict[str, str], **local_conf: str) -> Filter:
    """The envelope of every error."""
    return Faults


def requestlog_factory(global_conf: dict[str, str], **local_conf: str) -> Filter:
    """One line a request."""
    return RequestLog


def versions_factory(global_conf: dict[str, str], **local_conf: str) -> Filter:
    """The version documents, before a token is asked for."""
    return lambda app: Versions(app, shared().settings.public_endpoint)


def sourcelimit_factory(global_conf: dict[str, str], **local_conf: str) -> Filter:
    """The rate at which one address may come without a token."""
    shared()
    limits = sources.limit(cfg.CONF.api.unauthenticated_rate)
    return lambda app: SourceLimit(app, Buckets(limits))


def tokenauth_factory(global_conf: dict[str, str], **local_conf: str) -> Filter:
    """The token's project is the path's."""
    return TokenAuth


def context_factory(global_conf: dict[str, str], **local_conf: str) -> Filter:
    """The context of a request."""
    return lambda app: ContextOf(app, _shared_policy().is_admin)


def ratelimit_factory(global_conf: dict[str, str], **local_conf: str) -> Filter:
    """The rates that the options name."""
    shared()
    group = cfg.CONF.api
    limits = rates.limits(
        post=group.post_rate,
        put=group.put_rate,
        delete=group.delete_rate,
        get=group.get_rate,
        mgmt_post=group.mgmt_post_rate,
    )
    return lambda app: RateLimit(app, Buckets(limits))
