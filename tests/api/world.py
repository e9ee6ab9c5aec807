# SPDX-License-Identifier: Apache-2.0
"""The real API on SQLite and a memory cloud, and a client that speaks JSON and XML.

Only the authenticator is a stand-in: it takes the caller from headers of its own, as
keystonemiddleware takes it from a token.
"""

import json
import pathlib
import typing
import uuid
import xml.etree.ElementTree as etree

import defusedxml.ElementTree
import sqlalchemy as sa
import webob
from cryptography import fernet
from oslo_config import cfg

from tests.covered.recorder import Recording
from tests.desks import Desks
from trove.actions import parameters
from trove.actions.services import Settings
from trove.api import app, policy
from trove.api.middleware.ratelimit import Buckets
from trove.api.policy import Policy
from trove.api.services import Services
from trove.cloud import protocol
from trove.cloud.memory import MemoryCloud
from trove.datastores import protocol as engines
from trove.db import types
from trove.db.queries import backups, datastores, modules, quotas, recycled
from trove.db.session import Database
from trove.db.tables import (
    DatastoreVersion,
    Guest,
    GuestReport,
    Instance,
    Module,
    Operation,
    Record,
)
from trove.flows import instance_delete, lent
from trove.model import quotas as costs
from trove.model.backups import BackupState
from trove.model.states import OperationState, Task
from trove.rpc.messages import CopyShown, ModuleOrder

DEMO, OTHER, ADMINS = "demo0000", "other000", "admins00"

CALLERS = {
    "member": (DEMO, "member,reader"),
    "reader": (DEMO, "reader"),
    "admin": (ADMINS, "admin,member,reader"),
    "stranger": (OTHER, "member,reader"),
    "nobody": None,
    "roleless": (DEMO, "visitor"),
}

PORTS: tuple[tuple[str, ...], ...] = (
    ("port-mine", DEMO, "10.1.0.50"),
    ("port-two", DEMO, "10.1.0.53", "10.1.0.54"),
    ("port-theirs", OTHER, "10.1.0.51"),
    ("port-bare", DEMO),
    ("port-six", DEMO, "2001:db8::5"),
)
"""Users' ports on net-1: id, project, addresses."""

MODULE = "7f3d5c2e-1111-4222-8333-444455556666"
COPY = "9f3d5c2e-1111-4222-8333-444455556666-failed"
IMAGE = "6f3d5c2e-1111-4222-8333-444455556666"


def catalogue(project: str) -> str:
    """As keystonemiddleware hands it on: the memory cloud's networks, for a project."""
    endpoint = {"region": "RegionOne", "publicURL": f"memory:{project}"}
    return json.dumps([{"type": "network", "endpoints": [endpoint]}])


class Authenticator:
    """Believes ``X-Test-Caller``, or a token of that name; sends others away."""

    def __init__(self, application: typing.Any) -> None:
        self.application = application

    def __call__(self, environ: dict[str, typing.Any], start: typing.Any) -> typing.Any:
        for name in [n for n in environ if n.startswith("HTTP_X_") and "TEST" not in n]:
            if name.startswith(("HTTP_X_ROLES", "HTTP_X_PROJECT", "HTTP_X_USER")):
                del environ[name]
        who = environ.get("HTTP_X_TEST_CALLER") or environ.get("HTTP_X_AUTH_TOKEN", "")
        caller = CALLERS.get(who)
        if caller is None:
            body = b"Authentication required"
            start(
                "401 Unauthorized",
                [
                    ("Content-Type", "text/html"),
                    ("Content-Length", str(len(body))),
                    ("WWW-Authenticate", "Keystone uri='http://keystone'"),
                ],
            )
            return [body]
        environ.update(
            HTTP_X_IDENTITY_STATUS="Confirmed",
            HTTP_X_PROJECT_ID=caller[0],
            HTTP_X_USER_ID=f"user-of-{caller[0]}",
            HTTP_X_ROLES=caller[1],
        )
        environ.setdefault("HTTP_X_AUTH_TOKEN", who)
        environ.setdefault("HTTP_X_SERVICE_CATALOG", catalogue(caller[0]))
        return self.application(environ, start)


class World:
    """Everything a case needs; one for each test."""

    def __init__(
        self,
        directory: pathlib.Path,
        buckets: Buckets | None = None,
        database: Database | None = None,
        **settings: typing.Any,
    ) -> None:
        types.use_key(fernet.Fernet.generate_key())
        self.clock = 1_800_000_000.0
        self.database = database or Database(
            f"sqlite:///{directory}/trove.sqlite", clock=lambda: self.clock
        )
        if database is None:
            Record.metadata.create_all(self.database.engine)
        self.cloud = MemoryCloud(
            flavors=(
                protocol.Flavor("1", "tiny", ram=512, vcpus=1, disk=5),
                protocol.Flavor("2", "small", ram=1024, vcpus=1, disk=10),
                protocol.Flavor("m1.big", "big", ram=8192, vcpus=4, disk=20),
            ),
            images=(protocol.Image(IMAGE, "guest", ("trove", "guest")),),
            networks=(
                protocol.Network("net-1", "private", ("10.1.0.0/24",)),
                protocol.Network("net-2", "public", ("203.0.113.0/24",), public=True),
                protocol.Network("net-theirs", "theirs", ("10.3.0.0/24",)),
            ),
        )
        self.cloud.world.private["net-theirs"] = OTHER
        for id, project, *addresses in PORTS:
            self.cloud.lend(project, "net-1", *addresses, id=id)
        self.cloud.lend(DEMO, "net-1", "10.1.0.52", id="port-bound", server="s")
        self.rung: list[str] = []
        self.desks = Desks(directory / "guests")
        self.services = Services(
            self.database,
            self.cloud,
            self.rung.append,
            Settings(
                **{
                    "default_datastore": "mariadb",
                    "patience": 0.0,
                    "backup_driver": "directory",
                    **settings,
                }
            ),
            guests=self.desks.guest,
        )
        conf = cfg.ConfigOpts()
        conf([], project="trove", default_config_files=[])
        self.policy = Policy(policy.enforcer(conf))
        self.application = Recording(
            app.pipeline(self.services, self.policy, Authenticator, buckets)
        )
        self.versions: dict[str, str] = {}
        self._register()

    def close(self) -> None:
        self.database.close()

    def _register(self) -> None:
        with self.database.transaction() as tx:
            for datastore, name, number, active, default in (
                ("mariadb", "10.11", "10.11.6", True, True),
                ("mariadb", "10.6", "10.6.1", False, False),
                ("postgresql", "15", "15.8", True, True),
            ):
                row = datastores.register_version(
                    tx,
                    datastore,
                    name,
                    number,
                    default=default,
                    manager=datastore,
                    image_tags=["trove", "guest"],
                    active=active,
                )
                parameters.seed(tx, row.id, row.manager)
                self.versions[f"{datastore}-{name}"] = row.id

    # -- asking --------------------------------------------------------------------

    def ask(
        self,
        method: str,
        path: str,
        body: typing.Any = None,
        *,
        caller: str = "member",
        data: bytes | None = None,
        content_type: str | None = None,
        headers: dict[str, str] | None = None,
        xml: bool = False,
    ) -> webob.Response:
        """A request; a path without a slash at its front is below the own project."""
        if not path.startswith("/"):
            project = (CALLERS[caller] or (DEMO, ""))[0]
            path = f"/v1.0/{project}/{path}"
        request = webob.Request.blank(path, method=method)
        if path.isascii():
            request.environ["RAW_URI"] = path  # as every server of ours leaves it
        request.headers["X-Test-Caller"] = caller
        request.headers["Accept"] = "application/xml" if xml else "application/json"
        if body is not None:
            data = to_xml(body) if xml else json.dumps(body).encode()
            request.content_type = "application/xml" if xml else "application/json"
        if data is not None:
            request.body = data
        if content_type is not None:
            request.headers["Content-Type"] = content_type
        request.headers.update(headers or {})
        return request.get_response(self.application)

    def created(self, caller: str = "member", **about: typing.Any) -> str:
        """The id of a new instance, still BUILDING."""
        body = {"name": "db", "flavorRef": "1", "volume": {"size": 1}, **about}
        answer = self.ask("POST", "instances", {"instance": body}, caller=caller)
        assert answer.status_int == 200, answer.text
        return typing.cast(str, answer.json["instance"]["id"])

    def active(self, caller: str = "member", **about: typing.Any) -> str:
        """The id of an instance that is ACTIVE and HEALTHY."""
        id = self.created(caller, **about)
        self.finish(id)
        return id

    def group(self, caller: str = "member", **values: typing.Any) -> str:
        """The id of a new configuration group of the default datastore."""
        body = {"configuration": {"name": "fast", "values": values}}
        answer = self.ask("POST", "configurations", body, caller=caller)
        assert answer.status_int == 200, answer.text
        return typing.cast(str, answer.json["configuration"]["id"])

    def module(self, caller: str = "member", **about: typing.Any) -> str:
        """The id of a new module."""
        body = {"name": f"m{uuid.uuid4()}", "module_type": "ping", "contents": "eA=="}
        answer = self.ask("POST", "modules", {"module": body | about}, caller=caller)
        assert answer.status_int == 200, answer.text
        return typing.cast(str, answer.json["module"]["id"])

    def offer(self, datastore: str, name: str) -> None:
        """Another version of a datastore, which is offered."""
        with self.database.transaction() as tx:
            row = datastores.register_version(
                *(tx, datastore, name, name), manager=datastore, image_tags=["trove"]
            )
            parameters.seed(tx, row.id, row.manager)
            self.versions[f"{datastore}-{name}"] = row.id

    def backup(self, id: str, caller: str = "member", **about: typing.Any) -> str:
        """The id of a new backup of an instance, which is COMPLETED."""
        body = {"backup": {"name": "b", "instance": id, **about}}
        answer = self.ask("POST", "backups", body, caller=caller)
        assert answer.status_int == 202, answer.text
        made = typing.cast(str, answer.json["backup"]["id"])
        self.clock += 1
        self.back_up(made)
        return made

    def back_up(self, made: str, size: int = 2**29, **columns: typing.Any) -> None:
        """What a taskmanager and a guest would have done for a backup."""
        about = {"size": size, "location": f"memory:{made}", "ended": self.clock}
        with self.database.transaction() as tx:
            row = backups.load(tx, made)
            states = {"state": BackupState.COMPLETED, **about, **columns}
            backups.changes(tx, made, **states)
        self.finish(row.instance_id)

    def everybodys_module(self) -> None:
        """Each project may apply it, and none may change it."""
        with self.database.transaction() as tx:
            tx.merge(
                Module(
                    id=MODULE,
                    name="everybody's",
                    type="ping",
                    contents="eA==",
                    md5="9dd4e461268c8034f5c8564e155c67a6",
                    auto_apply=False,
                    visible=True,
                    live_update=False,
                    priority_apply=False,
                    apply_order=5,
                    is_admin=True,
                    created=self.clock,
                    updated=self.clock,
                )
            )

    def furnished(self, caller: str = "member", **about: typing.Any) -> str:
        """An active one with a module, a copy, the database shop, its ann, and root."""
        self.everybodys_module()
        id = self.active(caller, modules=[{"id": MODULE}], **about)
        self.desks.copies[id] = [CopyShown(COPY, 4096, self.clock)]
        accounts = self.desks.accounts[id]
        accounts.create_databases([engines.Database("shop")])
        accounts.create_accounts([engines.Account("ann", "%", ("shop",), "p")])
        answer = self.ask("POST", f"instances/{id}/root", caller=caller)
        assert answer.status_int == 200, answer.text
        return id

    def finish(self, id: str, service: str = "healthy") -> None:
        """What a taskmanager and a guest would have done."""
        with self.database.transaction() as tx:
            row = tx.get(Instance, id)
            assert row is not None
            version = tx.get(DatastoreVersion, row.version_id)
            assert version is not None
            key = self.desks.born(id, version.manager)
            tx.merge(Guest(instance_id=id, public_key=key))
            tx.execute(
                sa.update(Operation)
                .where(Operation.object_id == id)
                .values(state=OperationState.DONE, lock_key=None, input=None)
            )
            tx.execute(
                sa.update(Instance)
                .where(Instance.id == id)
                .values(
                    task=Task.NONE,
                    was_active=True,
                    server_id=str(uuid.uuid4()),
                    addresses=lent.shown(row, "net-1", ["10.1.0.7"]),
                )
            )
            tx.merge(
                GuestReport(
                    instance_id=id,
                    boot=1,
                    seq=1,
                    received_at=self.clock,
                    changed_at=self.clock,
                    service=service,
                    disk_used=429496730,
                    disk_total=1073741824,
                )
            )

    def recycled(self, caller: str = "member", **about: typing.Any) -> str:
        """The id of an instance of the recycle bin, by the default for three days."""
        id = self.active(caller, **about)
        self.recycle(id)
        return id

    def recycle(self, id: str, seconds: float = 3 * 86400.0) -> None:
        """What a taskmanager would have done for its delete."""
        self.finish(id)
        with self.database.transaction() as tx:
            row = tx.get_one(Instance, id)
            had = modules.of_instance(tx, id, hidden=True)
            recycled.put(tx, row, [one.shown.row.id for one in had], seconds)
            cost = costs.cost_of_instance(row.ram, row.volume_size)
            quotas.settle(tx, row.project, cost)  # what its create had reserved
            instance_delete.bury(tx, row)

    def applied(self, id: str, module: str, message: str = "Hello") -> None:
        """What a taskmanager and a guest would have written of a module."""
        with self.database.transaction() as tx:
            row = tx.get_one(Module, module)
            said = {"status": "OK", "message": message, "md5": row.md5}
            modules.answered(tx, id, {module: said})
            order = ModuleOrder(module, row.name, row.type, row.md5)
        self.desks.applied(id, order, message)

    def operations(self, id: str) -> list[Operation]:
        """What was accepted for an instance, oldest first."""
        with self.database.reading() as tx:
            return list(
                tx.scalars(
                    sa.select(Operation)
                    .where(Operation.object_id == id)
                    .order_by(Operation.created, Operation.after)
                )
            )

    def change(self, id: str, **columns: typing.Any) -> None:
        """Columns of an instance, as nothing of ours would set them."""
        with self.database.transaction() as tx:
            tx.execute(sa.update(Instance).where(Instance.id == id).values(**columns))


# -- XML as a client writes and reads it ----------------------------------------------


def to_xml(body: dict[str, typing.Any]) -> bytes:
    """Scalars as attributes, the rest as children.

    A body that has no root key in JSON has one in XML all the same, of any name.
    """
    if len(body) != 1 or not isinstance(
        next(iter(body.values())), (dict, list, type(None))
    ):
        body = {"body": body}
    ((name, value),) = body.items()
    root = etree.Element(name, xmlns="http://docs.openstack.org/database/api/v1.0")
    root.set("xmlns:xsi", "http://www.w3.org/2001/XMLSchema-instance")
    _put(root, name, value)
    return etree.tostring(root)


def _put(element: etree.Element, name: str, value: typing.Any) -> None:
    if isinstance(value, dict):
        for key, inner in value.items():
            if isinstance(inner, dict | list) or inner is None:
                _put(etree.SubElement(element, key), key, inner)
            else:
                element.set(key, str(inner))
    elif isinstance(value, list):
        one = name[:-1] if name.endswith("s") else "item"
        for inner in value:
            _put(etree.SubElement(element, one), one, inner)
    elif value is None:
        element.set("xsi:nil", "true")
    else:
        element.text = str(value)


def from_xml(data: bytes) -> dict[str, typing.Any]:
    """To texts, dicts and lists: a plural with children of its singular is a list."""
    root = defusedxml.ElementTree.fromstring(data)
    return {_local(root.tag): _take(root)}


def _local(tag: str) -> str:
    return tag.rpartition("}")[2]


SINGULARS = {"addresses": "address", "backup_strategies": "backup_strategy"}
LISTS = {"ip", "instances", "versions", "users", "databases", "addresses", "limits"}


def _take(element: etree.Element) -> typing.Any:
    name = _local(element.tag)
    children = list(element)
    one = SINGULARS.get(name, name[:-1])
    tags = {_local(child.tag) for child in children}
    if name in LISTS or (children and not element.attrib and tags <= {one, "item"}):
        return [
            _take(child) for child in children if _local(child.tag) in (one, "item")
        ]
    if not children and not element.attrib:
        return element.text or ""
    return {
        **dict(element.attrib),
        **{_local(child.tag): _take(child) for child in children},
    }


def like(value: typing.Any) -> typing.Any:
    """What an expected value looks like when it has been through XML."""
    if isinstance(value, dict):
        return {key: like(inner) for key, inner in value.items() if inner is not None}
    if isinstance(value, list):
        return [like(inner) for inner in value]
    return str(value)
