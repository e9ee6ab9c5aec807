# SPDX-License-Identifier: Apache-2.0
"""Neutron: the table of its calls, lists with filters, networks, subnets and tags."""

import typing

from trove.localcloud import store as stores
from trove.localcloud import things
from trove.localcloud.web import calls, neutron_floating, neutron_groups, neutron_ports

View = dict[str, typing.Any]
LISTING = frozenset(
    {"fields", "limit", "marker", "page_reverse", "sort_key", "sort_dir"}
)
TAGGED = ("tags", "tags-any", "not-tags", "not-tags-any")
EXTENSIONS = (
    "security-group",
    "standard-attr-tag",
    "tag-ports-during-bulk-creation",
    "port-security",
    "allowed-address-pairs",
    "external-net",
    "router",
    "project-id",
    "pagination",
)


def network_view(tx: stores.Transaction, row: things.Network) -> View:
    """A network as Neutron shows it."""
    subnets = [each.id for each in tx.all(things.Subnet) if each.network == row.id]
    return {
        "id": row.id,
        "name": row.name,
        "tenant_id": row.project,
        "project_id": row.project,
        "admin_state_up": True,
        "status": "ACTIVE",
        "shared": row.shared,
        "subnets": subnets,
        "mtu": 1500,
        "port_security_enabled": True,
        "router:external": row.external,
        "availability_zones": ["nova"],
        "availability_zone_hints": [],
        "ipv4_address_scope": None,
        "ipv6_address_scope": None,
        "description": "",
        "tags": list(row.tags),
        "revision_number": 1,
        "created_at": calls.iso(row.created),
        "updated_at": calls.iso(row.updated),
    }


def subnet_view(row: things.Subnet) -> View:
    """A subnet as Neutron shows it."""
    return {
        "id": row.id,
        "name": row.name,
        "network_id": row.network,
        "tenant_id": row.project,
        "project_id": row.project,
        "ip_version": 4,
        "cidr": row.cidr,
        "gateway_ip": row.gateway,
        "allocation_pools": [{"start": row.first, "end": row.last}],
        "enable_dhcp": False,
        "dns_nameservers": [],
        "host_routes": [],
        "ipv6_address_mode": None,
        "ipv6_ra_mode": None,
        "subnetpool_id": None,
        "description": "",
        "tags": list(row.tags),
        "revision_number": 1,
        "created_at": calls.iso(row.created),
        "updated_at": calls.iso(row.updated),
    }


def _every(call: calls.Call, tx: stores.Transaction, kind: str) -> list[View]:
    """All that the caller may see of a kind, as shown."""

    def mine(rows: typing.Iterable[typing.Any]) -> list[typing.Any]:
        return [row for row in rows if call.mine(row)]

    if kind == "networks":
        every = tx.all(things.Network)
        rows = [row for row in every if row.shared or row.external or call.mine(row)]
        return [network_view(tx, row) for row in rows]
    if kind == "subnets":
        return [subnet_view(row) for row in tx.all(things.Subnet)]
    if kind == "floatingips":
        return neutron_floating.views(call, tx)
    if kind == "ports":
        up, ports = neutron_ports.up(tx), tx.all(things.Port)
        shown = ports if call.serving else mine(ports)
        return [neutron_ports.view(call, port, up) for port in shown]
    if kind == "security-groups":
        neutron_groups.default(call, tx)
        return [neutron_groups.view(tx, row) for row in mine(tx.all(things.Group))]
    return [neutron_groups.rule_view(row) for row in mine(tx.all(things.Rule))]


def _fits(shown: View, key: str, values: list[str]) -> bool:
    if key in TAGGED:
        tags = set(shown.get("tags", ()))
        asked = {tag for value in values for tag in value.split(",")}
        every = key in ("tags", "not-tags")
        found = asked <= tags if every else bool(asked & tags)
        return found is not key.startswith("not-")
    if key == "fixed_ips":
        wanted = [value.partition("=") for value in values]
        entries = shown.get("fixed_ips", [])
        return any(entry.get(k) == v for entry in entries for k, _, v in wanted)
    if key == "security_group_ids":
        return bool(set(values) & set(shown.get("security_groups", ())))
    if key not in shown:
        return True
    own = shown[key]
    if isinstance(own, bool):
        return own in [value.lower() in ("true", "1") for value in values]
    if isinstance(own, list):
        return bool(set(values) & {str(each) for each in own})
    return ("" if own is None else str(own)) in values


class _Row(typing.NamedTuple):
    id: str
    shown: View


def listing(kind: str) -> calls.Action:
    """GET of a collection, with Neutron's filters, fields and pages."""
    collection = kind.replace("-", "_")

    def answer(call: calls.Call) -> calls.Answer:
        asked = call.request.GET
        with call.cloud.store.transaction() as tx:
            every = _every(call, tx, kind)
        for key in dict.fromkeys(asked):
            if key not in LISTING:
                values = asked.getall(key)
                every = [shown for shown in every if _fits(shown, key, values)]
        rows = [_Row(shown["id"], shown) for shown in every]
        rows, more = calls.page(rows, asked.get("limit"), asked.get("marker"))
        said: View = {collection: [_fields(call, row.shown) for row in rows]}
        if more:
            href = call.url(
                "v2.0", f"{kind}?limit={asked['limit']}&marker={rows[-1].id}"
            )
            said[f"{collection}_links"] = [{"rel": "next", "href": href}]
        return said

    return answer


def _fields(call: calls.Call, shown: View) -> View:
    names = call.request.GET.getall("fields")
    return {key: shown[key] for key in names if key in shown} if names else shown


def showing(kind: str) -> calls.Action:
    """GET of one thing."""
    single = kind[:-1].replace("-", "_")
    type = "".join(part.capitalize() for part in kind[:-1].split("-")) + "NotFound"

    def answer(call: calls.Call, id: str) -> calls.Answer:
        with call.cloud.store.transaction() as tx:
            found = [shown for shown in _every(call, tx, kind) if shown["id"] == id]
        if not found:
            words = kind[:-1].replace("-", " ").capitalize()
            raise calls.Fault(404, f"{words} {id} could not be found.", type)
        return {single: _fields(call, found[0])}

    return answer


# -- tags ------------------------------------------------------------------------------

KINDS: dict[str, typing.Any] = {
    "networks": things.Network,
    "subnets": things.Subnet,
    "ports": things.Port,
    "floatingips": things.FloatingIP,
    "security-groups": things.Group,
}


def _tagged(
    call: calls.Call,
    kind: str,
    id: str,
    change: typing.Callable[[list[str]], typing.Any],
) -> list[str]:
    with call.cloud.store.transaction() as tx:
        row = tx.get(KINDS[kind], id) if kind in KINDS else None
        if row is None or not call.mine(row):
            type = "TagResourceNotFound"
            raise calls.Fault(404, f"Resource {kind} {id} could not be found.", type)
        row.tags = neutron_groups.checked_tags(change(row.tags))
        tx.put(row)
    tags: list[str] = row.tags
    return tags


def tags(call: calls.Call, kind: str, id: str) -> calls.Answer:
    """GET /{kind}/{id}/tags"""
    return {"tags": _tagged(call, kind, id, lambda own: own)}


def set_tags(call: calls.Call, kind: str, id: str) -> calls.Answer:
    """PUT /{kind}/{id}/tags: these and no others."""
    wanted = call.body().get("tags")
    return {"tags": _tagged(call, kind, id, lambda _: wanted)}


def delete_tags(call: calls.Call, kind: str, id: str) -> calls.Answer:
    """DELETE /{kind}/{id}/tags"""
    _tagged(call, kind, id, lambda _: [])


def add_tag(call: calls.Call, kind: str, id: str, tag: str) -> calls.Answer:
    """PUT /{kind}/{id}/tags/{tag}"""
    _tagged(call, kind, id, lambda own: [*own, tag])


def has_tag(call: calls.Call, kind: str, id: str, tag: str) -> calls.Answer:
    """GET /{kind}/{id}/tags/{tag}"""
    if tag not in _tagged(call, kind, id, lambda own: own):
        raise calls.Fault(404, f"Tag {tag} could not be found.", "TagNotFound")


def delete_tag(call: calls.Call, kind: str, id: str, tag: str) -> calls.Answer:
    """DELETE /{kind}/{id}/tags/{tag}"""
    has_tag(call, kind, id, tag)
    _tagged(call, kind, id, lambda own: [each for each in own if each != tag])


def extensions(call: calls.Call) -> calls.Answer:
    """GET /extensions"""
    shown = [
        {"alias": name, "name": name, "description": name, "links": [], "updated": ""}
        for name in EXTENSIONS
    ]
    return {"extensions": shown}


def extension(call: calls.Call, alias: str) -> calls.Answer:
    """GET /extensions/{alias}"""
    for shown in extensions(call)["extensions"]:
        if shown["alias"] == alias:
            return {"extension": shown}
    raise calls.Fault(404, f"Extension with alias {alias} does not exist")


_kinds = (
    "networks",
    "subnets",
    "ports",
    "floatingips",
    "security-groups",
    "security-group-rules",
)
_tags = "v2.0/{kind}/{id}/tags"
_one = f"{_tags}/{{tag}}"
ROUTES = (
    *(calls.route("GET", f"v2.0/{kind}", listing(kind)) for kind in _kinds),
    *(calls.route("GET", f"v2.0/{kind}/{{id}}", showing(kind)) for kind in _kinds),
    calls.route("POST", "v2.0/ports", neutron_ports.create, 201),
    calls.route("PUT", "v2.0/ports/{id}", neutron_ports.update),
    calls.route("DELETE", "v2.0/ports/{id}", neutron_ports.delete, 204),
    calls.route("POST", "v2.0/floatingips", neutron_floating.create, 201),
    calls.route("PUT", "v2.0/floatingips/{id}", neutron_floating.update),
    calls.route("DELETE", "v2.0/floatingips/{id}", neutron_floating.delete, 204),
    calls.route("POST", "v2.0/security-groups", neutron_groups.create, 201),
    calls.route("PUT", "v2.0/security-groups/{id}", neutron_groups.update),
    calls.route("DELETE", "v2.0/security-groups/{id}", neutron_groups.delete, 204),
    calls.route("POST", "v2.0/security-group-rules", neutron_groups.create_rule, 201),
    calls.route(
        "DELETE", "v2.0/security-group-rules/{id}", neutron_groups.delete_rule, 204
    ),
    calls.route("GET", "v2.0/extensions", extensions),
    calls.route("GET", "v2.0/extensions/{alias}", extension),
    calls.route("GET", _tags, tags),
    calls.route("PUT", _tags, set_tags),
    calls.route("DELETE", _tags, delete_tags, 204),
    calls.route("GET", _one, has_tag, 204),
    calls.route("PUT", _one, add_tag, 201),
    calls.route("DELETE", _one, delete_tag, 204),
)
