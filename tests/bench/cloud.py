# SPDX-License-Identifier: Apache-2.0
"""An OpenStack that is done at once: Keystone, Nova, Cinder, Neutron, Glance on a port.

``python -m tests.bench.cloud PORT``. What a control plane costs is measured against
it: it speaks the same HTTP as a cloud, and everything it is asked for is ready when it
answers. ``GET /boots`` is an endless stream of lines of JSON: a server made or ended.
"""

import asyncio
import json
import sys
import typing
import urllib.parse
import uuid

Plain = dict[str, typing.Any]
Answer = tuple[int, typing.Any]

MANAGEMENT = "11111111-0000-4000-8000-000000000001"
USERS = "11111111-0000-4000-8000-000000000002"
NETWORKS = {MANAGEMENT: ("guests", "10.9"), USERS: ("private", "10.10")}
IMAGE = "11111111-0000-4000-8000-000000000003"
SERVICE = uuid.uuid5(uuid.NAMESPACE_DNS, "service").hex
FLAVORS = {"1": 512, "2": 2048, "3": 4096}
THEN = "2026-01-01T00:00:00Z"
REASONS = {200: "OK", 201: "Created", 202: "Accepted", 204: "No Content"}


class Refused(Exception):
    """A status other than success."""


class Cloud:
    """All of its state, and what each path does to it."""

    def __init__(self, port: int) -> None:
        self.base = f"http://127.0.0.1:{port}"
        self.tokens: dict[str, tuple[str, str]] = {}
        self.rows: dict[str, dict[str, Plain]] = {
            kind: {}
            for kind in (
                *("servers", "volumes", "ports", "floatingips"),
                *("security-groups", "rules"),
            )
        }
        self.listeners: set[asyncio.Transport] = set()
        self.calls = 0
        self._addresses = 0

    def answer(self, method: str, target: str, head: Plain, body: bytes) -> Answer:
        """Status and document."""
        self.calls += 1
        url = urllib.parse.urlsplit(target)
        service, *path = [part for part in url.path.split("/") if part] or ["identity"]
        query = dict(urllib.parse.parse_qsl(url.query))
        told = json.loads(body) if body else {}
        serve = getattr(self, f"_{service}", None)
        if serve is None:
            raise Refused(404)
        return typing.cast(Answer, serve(method, path, query, told, head))

    # -- Keystone

    def _identity(
        self, method: str, path: list[str], query: Plain, told: Plain, head: Plain
    ) -> Answer:
        if path[:1] != ["v3"] or len(path) == 1:
            links = [{"rel": "self", "href": f"{self.base}/identity/v3/"}]
            version = {"id": "v3.14", "status": "stable", "links": links}
            return (200, {"version": version}) if path else self._versions([version])
        if path[1:] != ["auth", "tokens"]:
            raise Refused(404)
        if method == "POST":
            user = told["auth"]["identity"]["password"]["user"]["name"]
            scope = told["auth"]["scope"]["project"]
            project = scope.get("id") or SERVICE
            token = uuid.uuid4().hex * 5
            self.tokens[token] = (project, user)
            head["answer"] = {"X-Subject-Token": token}
            return 201, self._token(project, user)
        known = self.tokens.get(head.get("x-subject-token", ""))
        if known is None:
            raise Refused(404)
        return 200, self._token(*known)

    def _versions(self, versions: list[Plain]) -> Answer:
        return 300, {"versions": {"values": versions}}

    def _token(self, project: str, user: str) -> Plain:
        domain = {"id": "default", "name": "Default"}
        names = ["service", "admin"] if project == SERVICE else ["member", "reader"]
        return {
            "token": {
                "methods": ["password"],
                "user": {"id": user, "name": user, "domain": domain},
                "project": {"id": project, "name": project, "domain": domain},
                "roles": [{"id": name, "name": name} for name in names],
                "is_domain": False,
                "audit_ids": ["x"],
                "issued_at": "2026-01-01T00:00:00.000000Z",
                "expires_at": "2099-01-01T00:00:00.000000Z",
                "catalog": self._catalog(project),
            }
        }

    def _catalog(self, project: str) -> list[Plain]:
        paths = {
            "identity": "/identity",
            "compute": "/compute/v2.1",
            "block-storage": f"/volume/v3/{project}",
            "network": "/network",
            "image": "/image",
        }
        return [
            {
                "type": kind,
                "name": kind,
                "id": kind,
                "endpoints": [
                    {
                        "id": f"{kind}-{interface}",
                        "interface": interface,
                        "region": "RegionOne",
                        "region_id": "RegionOne",
                        "url": self.base + path,
                    }
                    for interface in ("public", "internal", "admin")
                ],
            }
            for kind, path in paths.items()
        ]

    # -- Nova

    def _compute(
        self, method: str, path: list[str], query: Plain, told: Plain, head: Plain
    ) -> Answer:
        if len(path) == 1:
            return 200, {"version": self._version("v2.1", "compute/v2.1", "2.96")}
        kind, rest = path[1], path[2:]
        if kind == "flavors":
            return self._flavors(rest)
        if kind == "os-server-groups" and method == "GET":
            return 200, {"server_groups": []}
        if method == "POST":
            return 202, {"server": self._boot(told["server"])}
        rows = self.rows["servers"]
        if rest == ["detail"]:
            tags = set(query.get("tags", "").split(",")) - {""}
            found = [row for row in rows.values() if tags <= set(row["tags"])]
            # a page ends where nothing follows its marker
            return 200, {"servers": [] if "marker" in query else found}
        row = self._row("servers", rest[0])
        if method == "DELETE":
            del rows[row["id"]]
            self._say({"ended": row["id"]})
            return 204, None
        return 200, {"server": row}

    def _flavors(self, rest: list[str]) -> Answer:
        flavors = [
            {
                "id": id,
                "name": f"db.{id}",
                "ram": ram,
                "vcpus": 1,
                "disk": 10,
                "OS-FLV-EXT-DATA:ephemeral": 0,
                "links": [],
            }
            for id, ram in FLAVORS.items()
        ]
        if rest in ([], ["detail"]):
            return 200, {"flavors": flavors}
        for flavor in flavors:
            if flavor["id"] == rest[0]:
                return 200, {"flavor": flavor}
        raise Refused(404)

    def _boot(self, order: Plain) -> Plain:
        id = str(uuid.uuid4())
        disks = order.get("block_device_mapping_v2", ())
        volumes = [disk["uuid"] for disk in disks if disk["source_type"] == "volume"]
        for volume in volumes:
            row = self._row("volumes", volume)
            row |= {"status": "in-use", "attachments": [{"server_id": id}]}
        ports = order.get("networks")
        for port in ports if isinstance(ports, list) else ():
            self._row("ports", port["port"])["device_id"] = id
        self.rows["servers"][id] = {
            "id": id,
            "name": order["name"],
            "status": "ACTIVE",
            "tags": order.get("tags", []),
            "flavor": {"original_name": f"db.{order['flavorRef']}", "ram": 512},
            "addresses": {},
            "os-extended-volumes:volumes_attached": [{"id": v} for v in volumes],
            "created": THEN,
            "hostId": "host",
            "links": [],
        }
        self._say({"made": id, "user_data": order.get("user_data")})
        return {"id": id, "links": [], "adminPass": "x"}

    # -- Cinder

    def _volume(
        self, method: str, path: list[str], query: Plain, told: Plain, head: Plain
    ) -> Answer:
        if len(path) < 3:
            versions = [self._version("v3.0", "volume/v3", "3.70")]
            return (200 if path else 300), {"versions": versions}
        if path[2] == "snapshots":
            return 200, {"snapshots": []}
        rows, rest = self.rows["volumes"], path[3:]
        if method == "POST":
            id = str(uuid.uuid4())
            rows[id] = told["volume"] | {"id": id, "status": "available"}
            rows[id] |= {"created_at": THEN, "attachments": []}
            return 202, {"volume": rows[id]}
        if rest == ["detail"]:
            said = query.get("metadata", "")
            found = [
                row
                for row in rows.values()
                if all(f"'{v}'" in said for v in row["metadata"].values())
            ]
            return 200, {"volumes": found}
        row = self._row("volumes", rest[0])
        if method == "DELETE":
            del rows[row["id"]]
            return 202, None
        return 200, {"volume": row}

    # -- Neutron

    def _network(
        self, method: str, path: list[str], query: Plain, told: Plain, head: Plain
    ) -> Answer:
        if len(path) < 2:
            version = self._version("v2.0", "network/v2.0", "")
            return 200, {"versions": [version]}
        kind, rest = path[1], path[2:]
        if kind in ("networks", "subnets"):
            return self._places(kind, rest, query)
        table = "rules" if kind == "security-group-rules" else kind
        one = kind[:-1].replace("-", "_")
        if method == "POST":
            row = self._made(kind, told[one])
            self.rows[table][row["id"]] = row
            return 201, {one: self._whole(kind, row)}
        if not rest:
            found = [
                self._whole(kind, row)
                for row in self.rows[table].values()
                if all(str(row.get(n, v)) == v for n, v in query.items())
            ]
            return 200, {one + "s": found}
        row = self._row(table, rest[0])
        if method == "DELETE":
            del self.rows[table][row["id"]]
            if kind == "security-groups":
                for rule in self._rules(row["id"]):
                    del self.rows["rules"][rule["id"]]
            return 204, None
        return 200, {one: self._whole(kind, row)}

    def _made(self, kind: str, order: Plain) -> Plain:
        row = order | {"id": str(uuid.uuid4()), "created_at": THEN}
        if kind == "ports":
            self._addresses += 1
            high, low = divmod(self._addresses % 60000, 250)
            prefix = NETWORKS[row["network_id"]][1]
            place = {"subnet_id": row["network_id"]}
            place["ip_address"] = f"{prefix}.{high}.{low + 2}"
            row["fixed_ips"] = [place]
            row |= {"device_id": "", "status": "ACTIVE"}
        if kind == "security-groups":
            for family in ("IPv4", "IPv6"):
                rule = {"security_group_id": row["id"], "direction": "egress"}
                made = self._made("rules", rule | {"ethertype": family})
                self.rows["rules"][made["id"]] = made
        return row

    def _whole(self, kind: str, row: Plain) -> Plain:
        if kind == "security-groups":
            return row | {"security_group_rules": self._rules(row["id"])}
        return row

    def _rules(self, group: str) -> list[Plain]:
        blank = dict.fromkeys(
            (
                "protocol",
                "port_range_min",
                "port_range_max",
                "remote_ip_prefix",
                "remote_group_id",
            )
        )
        rules = self.rows["rules"].values()
        return [blank | rule for rule in rules if rule["security_group_id"] == group]

    def _places(self, kind: str, rest: list[str], query: Plain) -> Answer:
        found = []
        for id, (name, prefix) in NETWORKS.items():
            if kind == "networks":
                found.append(
                    {"id": id, "name": name, "subnets": [], "status": "ACTIVE"}
                )
            else:
                subnet = {"id": id, "network_id": id, "cidr": f"{prefix}.0.0/16"}
                found.append(subnet | {"name": name, "ip_version": 4})
        if rest:
            for place in found:
                if place["id"] == rest[0]:
                    return 200, {kind[:-1]: place}
            raise Refused(404)
        wanted = query.get("network_id")
        return 200, {kind: [p for p in found if wanted in (None, p["id"])]}

    # -- Glance

    def _image(
        self, method: str, path: list[str], query: Plain, told: Plain, head: Plain
    ) -> Answer:
        if len(path) < 2:
            return 300, {"versions": [self._version("v2.15", "image/v2", "")]}
        image = {
            "id": IMAGE,
            "name": "guest",
            "status": "active",
            "tags": ["trove", "guest"],
            "created_at": THEN,
        }
        return 200, image if path[2:] else {"images": [image]}

    # -- all of them

    def _version(self, id: str, path: str, newest: str) -> Plain:
        return {
            "id": id,
            "status": "CURRENT",
            "version": newest,
            "min_version": newest and f"{newest.split('.')[0]}.1",
            "links": [{"rel": "self", "href": f"{self.base}/{path}/"}],
        }

    def _row(self, kind: str, id: str) -> Plain:
        try:
            return self.rows[kind][id]
        except KeyError:
            raise Refused(404) from None

    def _say(self, news: Plain) -> None:
        line = json.dumps(news).encode() + b"\n"
        for listener in self.listeners:
            listener.write(line)


class Line(asyncio.Protocol):
    """One connection: HTTP/1.1, kept open."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud, self._held = cloud, b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._line = typing.cast(asyncio.Transport, transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self._cloud.listeners.discard(self._line)

    def data_received(self, data: bytes) -> None:
        self._held += data
        while (end := self._held.find(b"\r\n\r\n")) >= 0:
            first, *lines = self._held[:end].decode("latin-1").split("\r\n")
            pairs = (line.partition(":") for line in lines)
            head: Plain = {name.lower(): value.strip() for name, _, value in pairs}
            size = int(head.get("content-length", 0))
            if len(self._held) < end + 4 + size:
                return
            body = self._held[end + 4 : end + 4 + size]
            self._held = self._held[end + 4 + size :]
            method, target, _ = first.split(" ", 2)
            self._reply(method, target, head, body)

    def _reply(self, method: str, target: str, head: Plain, body: bytes) -> None:
        if target == "/boots":
            self._cloud.listeners.add(self._line)
            self._line.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")
            return
        document: typing.Any
        try:
            status, document = self._cloud.answer(method, target, head, body)
        except Refused as refused:
            status = refused.args[0]
            document = {"error": {"code": status, "message": target}}
        data = b"" if document is None else json.dumps(document).encode()
        said = {"Content-Type": "application/json", "Content-Length": len(data)}
        said |= head.get("answer", {})
        lines = [f"HTTP/1.1 {status} {REASONS.get(status, 'Other')}"]
        lines += [f"{name}: {value}" for name, value in said.items()]
        self._line.write("\r\n".join(lines).encode() + b"\r\n\r\n" + data)


async def main() -> None:
    """Serves until it is killed."""
    port = int(sys.argv[1])
    cloud = Cloud(port)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Line(cloud), "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
