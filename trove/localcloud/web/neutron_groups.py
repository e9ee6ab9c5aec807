# SPDX-License-Identifier: Apache-2.0
"""Neutron: security groups, and their rules."""

import ipaddress
import typing
import uuid

from trove.localcloud import store as stores
from trove.localcloud import things
from trove.localcloud.web import calls

View = dict[str, typing.Any]
NUMBERS = {1: "icmp", 6: "tcp", 17: "udp", 58: "ipv6-icmp", 112: "vrrp", 132: "sctp"}
PROTOCOLS = frozenset(NUMBERS.values())
DEFAULT = "default"


def checked_tags(given: typing.Any) -> list[str]:
    """At most 50 tags of at most 255 characters."""
    if (
        not isinstance(given, list)
        or len(given) > 50
        or not all(isinstance(tag, str) and 1 <= len(tag) <= 255 for tag in given)
    ):
        raise calls.Fault(400, f"Invalid input for tags: {given}", "HTTPBadRequest")
    return sorted(set(given))


def rule_view(row: things.Rule) -> View:
    """A rule as Neutron shows it."""
    return {
        "id": row.id,
        "tenant_id": row.project,
        "project_id": row.project,
        "security_group_id": row.group,
        "direction": row.direction,
        "ethertype": row.ethertype,
        "protocol": row.protocol,
        "port_range_min": row.low,
        "port_range_max": row.high,
        "remote_ip_prefix": row.remote_cidr,
        "remote_group_id": row.remote_group,
        "remote_address_group_id": None,
        "normalized_cidr": row.remote_cidr,
        "description": row.description,
        "standard_attr_id": None,
        "tags": [],
        "revision_number": 0,
        "created_at": calls.iso(row.created),
        "updated_at": calls.iso(row.updated),
    }


def view(tx: stores.Transaction, row: things.Group) -> View:
    """A group as Neutron shows it."""
    rules = [rule for rule in tx.all(things.Rule) if rule.group == row.id]
    return {
        "id": row.id,
        "name": row.name,
        "description": row.description,
        "tenant_id": row.project,
        "project_id": row.project,
        "stateful": True,
        "shared": False,
        "security_group_rules": [rule_view(rule) for rule in rules],
        "tags": list(row.tags),
        "revision_number": 1,
        "created_at": calls.iso(row.created),
        "updated_at": calls.iso(row.updated),
    }


def get(call: calls.Call, tx: stores.Transaction, id: str) -> things.Group:
    """A group that is there and the caller may see."""
    row = tx.get(things.Group, id)
    if row is None or not call.mine(row):
        raise calls.Fault(
            404, f"Security group {id} does not exist", "SecurityGroupNotFound"
        )
    return row


def _new(
    tx: stores.Transaction, project: str, name: str, description: str, tags: list[str]
) -> things.Group:
    """A group, with the two rules every new group has: everything may leave."""
    now = tx.now()
    row = things.Group(
        str(uuid.uuid4()), project, name, now, now, description=description, tags=tags
    )
    tx.put(row)
    for ethertype in ("IPv4", "IPv6"):
        id = str(uuid.uuid4())
        tx.put(things.Rule(id, project, "", now, now, row.id, "egress", ethertype))
    return row


def default(call: calls.Call, tx: stores.Transaction) -> things.Group:
    """The project's own default group; within it, everybody reaches everybody."""
    for row in tx.all(things.Group):
        if row.project == call.project and row.name == DEFAULT:
            return row
    row = _new(tx, call.project, DEFAULT, "Default security group", [])
    now = tx.now()
    for ethertype in ("IPv4", "IPv6"):
        id = str(uuid.uuid4())
        rule = things.Rule(id, call.project, "", now, now, row.id, "ingress", ethertype)
        rule.remote_group = row.id
        tx.put(rule)
    return row


def create(call: calls.Call) -> calls.Answer:
    """POST /security-groups"""
    body = call.body("security_group")
    name = str(body.get("name", ""))
    if name == DEFAULT:
        raise calls.Fault(
            409,
            "Default security group already exists.",
            "SecurityGroupDefaultAlreadyExists",
        )
    tags = checked_tags(body.get("tags", []))
    with call.cloud.store.transaction() as tx:
        row = _new(tx, call.project, name, str(body.get("description", "")), tags)
        shown = view(tx, row)
    return {"security_group": shown}


def update(call: calls.Call, id: str) -> calls.Answer:
    """PUT /security-groups/{id}"""
    body = call.body("security_group")
    with call.cloud.store.transaction() as tx:
        row = get(call, tx, id)
        row.name = str(body.get("name", row.name))
        row.description = str(body.get("description", row.description))
        tx.put(row)
        shown = view(tx, row)
    return {"security_group": shown}


def delete(call: calls.Call, id: str) -> calls.Answer:
    """DELETE /security-groups/{id}: not while a port has it."""
    with call.cloud.store.transaction() as tx:
        row = get(call, tx, id)
        if any(id in port.groups for port in tx.all(things.Port)):
            raise calls.Fault(409, f"Security Group {id} in use.", "SecurityGroupInUse")
        for rule in tx.all(things.Rule):
            if rule.group == id or rule.remote_group == id:
                tx.drop(rule)
        tx.drop(row)
    call.cloud.keeper.guard()


# -- rules -----------------------------------------------------------------------------


def _invalid(why: str) -> calls.Fault:
    return calls.Fault(400, f"Invalid input for operation: {why}.", "InvalidInput")


def _protocol(given: object) -> str | None:
    if given is None or str(given).lower() in ("any", "0", "none"):
        return None
    name = str(given).lower()
    if name.isdigit():
        name = NUMBERS.get(int(name), name)
    if name not in PROTOCOLS and not (name.isdigit() and int(name) < 256):
        raise calls.Fault(
            400,
            f"Security group rule protocol {given} not supported.",
            "SecurityGroupRuleInvalidProtocol",
        )
    return name


def _port(given: object, protocol: str | None) -> int | None:
    if given is None:
        return None
    try:
        port = int(str(given))
    except ValueError:
        raise _invalid(f"'{given}' is not a port") from None
    if protocol in ("tcp", "udp") and not 1 <= port <= 65535:
        raise _invalid(f"'{given}' is not a port")
    return port


def _range(given: object) -> str | None:
    if given is None:
        return None
    try:
        return str(ipaddress.ip_network(str(given), strict=False))
    except ValueError:
        raise _invalid(f"'{given}' is not a valid IP subnet") from None


def _rule(call: calls.Call, tx: stores.Transaction, body: View) -> things.Rule:
    group = get(call, tx, str(body.get("security_group_id")))
    direction, ethertype = body.get("direction"), body.get("ethertype") or "IPv4"
    if direction not in ("ingress", "egress"):
        raise _invalid(f"'{direction}' is no direction")
    if ethertype not in ("IPv4", "IPv6"):
        raise _invalid(f"'{ethertype}' is no ethertype")
    protocol = _protocol(body.get("protocol"))
    low = _port(body.get("port_range_min"), protocol)
    high = _port(body.get("port_range_max"), protocol)
    if (low is None) != (high is None) and protocol in ("tcp", "udp"):
        low = high = low if low is not None else high
    if low is not None and protocol is None:
        raise calls.Fault(
            400,
            "Must also specify protocol if port range is given.",
            "SecurityGroupProtocolRequiredWithPorts",
        )
    if protocol in ("tcp", "udp") and low is not None and low > (high or low):
        raise calls.Fault(
            400,
            "For TCP/UDP protocols, port_range_min must be <= port_range_max",
            "SecurityGroupInvalidPortRange",
        )
    remote_group = body.get("remote_group_id")
    if remote_group is not None:
        get(call, tx, str(remote_group))
    now = tx.now()
    return things.Rule(
        id=str(uuid.uuid4()),
        project=group.project,
        name="",
        created=now,
        updated=now,
        group=group.id,
        direction=direction,
        ethertype=ethertype,
        protocol=protocol,
        low=low,
        high=high,
        remote_cidr=_range(body.get("remote_ip_prefix")),
        remote_group=remote_group,
        description=str(body.get("description") or ""),
    )


def create_rule(call: calls.Call) -> calls.Answer:
    """POST /security-group-rules: one, or a list at once."""
    body = call.body()
    many = body.get("security_group_rules")
    wanted = many if isinstance(many, list) else [call.body("security_group_rule")]
    made = []
    with call.cloud.store.transaction() as tx:
        for entry in wanted:
            row = _rule(call, tx, entry)
            for other in tx.all(things.Rule):
                if other.group == row.group and other.says() == row.says():
                    raise calls.Fault(
                        409,
                        f"Security group rule already exists. Rule id is {other.id}.",
                        "SecurityGroupRuleExists",
                    )
            tx.put(row)
            made.append(rule_view(row))
    call.cloud.keeper.guard()
    if many is not None:
        return {"security_group_rules": made}
    return {"security_group_rule": made[0]}


def get_rule(call: calls.Call, tx: stores.Transaction, id: str) -> things.Rule:
    """A rule that is there and the caller may see."""
    row = tx.get(things.Rule, id)
    if row is None or not call.mine(row):
        raise calls.Fault(
            404, f"Security group rule {id} does not exist", "SecurityGroupRuleNotFound"
        )
    return row


def delete_rule(call: calls.Call, id: str) -> calls.Answer:
    """DELETE /security-group-rules/{id}"""
    with call.cloud.store.transaction() as tx:
        tx.drop(get_rule(call, tx, id))
    call.cloud.keeper.guard()
