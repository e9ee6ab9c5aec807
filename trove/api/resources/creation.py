# SPDX-License-Identifier: Apache-2.0
"""The body of an instance's create: its schema, and what it means."""

import ipaddress
import typing

from trove import errors
from trove.actions.flavors import id_of
from trove.actions.orders import Order
from trove.api import schemas
from trove.api.resource import Plain
from trove.api.resources import restorepoints, schedules
from trove.model.operations import NewDatabase, NewUser

TEXT = {"type": ["string", "null"], "maxLength": 255}

NIC = {
    "type": "object",
    "additionalProperties": False,
    "minProperties": 1,
    "properties": {
        **{
            name: {"type": ["string", "null"], "minLength": 1, "maxLength": 64}
            for name in ("net-id", "network_id", "subnet_id", "port-id")
        },
        "ip_address": {**schemas.IPV4, "type": ["string", "null"]},
        "v4-fixed-ip": {**schemas.IPV4, "type": ["string", "null"]},
    },
}

CREATE: Plain = {
    "type": "object",
    "required": ["name"],
    "properties": {
        "name": schemas.NAME,
        "flavorRef": {**schemas.FLAVOR, "type": ["string", "integer", "null"]},
        "flavor": {**schemas.FLAVOR, "type": ["string", "integer", "null"]},
        "volume": {**schemas.VOLUME, "type": ["object", "null"]},
        "databases": schemas.DATABASES,
        "users": schemas.USERS,
        "restorePoint": restorepoints.SCHEMA,
        "replica_of": {**schemas.UUID, "type": ["string", "null"]},
        "replica_count": {"type": ["integer", "null"], "minimum": 1, "maximum": 3},
        "datastore": {
            "type": ["object", "null"],
            "properties": {"type": TEXT, "version": TEXT, "version_number": TEXT},
        },
        "nics": {"type": ["array", "null"], "maxItems": 1, "items": NIC},
        "availability_zone": TEXT,
        "modules": {**schemas.MODULES, "type": ["array", "null"]},
        "configuration": {**schemas.UUID_OR_URL, "type": ["string", "null"]},
        "region_name": TEXT,
        "locality": {
            "enum": [
                "affinity",
                "anti-affinity",
                "soft-affinity",
                "soft-anti-affinity",
                None,
            ]
        },
        "access": {**schemas.ACCESS, "type": ["object", "null"]},
        "deletion_protection": schemas.FLAG,
        "backup_policy": schedules.NEW,
    },
}

INHERITED = (
    "flavorRef",
    "flavor",
    "datastore",
    "volume",
    "locality",
    "users",
    "databases",
)
"""What a replica has from its source, so that a create must not say it."""

LATER = {"replica_of": "Creating a replica"}


def order(body: Plain) -> Order:
    """What a checked body asks for; raises for what no schema can say."""
    _refuse_contradictions(body)
    for key, what in LATER.items():
        if body.get(key):
            raise errors.Unsupported(f"{what} is not supported yet.")
    reference = body.get("flavorRef")
    reference = body.get("flavor") if reference is None else reference
    if reference is None:
        raise errors.Invalid("A flavorRef was not specified.")
    volume = body.get("volume") or {}
    datastore = body.get("datastore") or {}
    return Order(
        name=body["name"],
        flavor=id_of(reference),
        volume_size=int(volume["size"]) if volume else None,
        volume_type=volume.get("type"),
        datastore=datastore.get("type") or None,
        version=datastore.get("version") or None,
        version_number=datastore.get("version_number") or None,
        nic=_nic(body.get("nics")),
        availability_zone=body.get("availability_zone") or None,
        region=body.get("region_name") or None,
        locality=body.get("locality"),
        configuration=_group(body.get("configuration")),
        access=access(body.get("access")),
        databases=tuple(new_database(each) for each in body.get("databases") or ()),
        modules=tuple(each["id"] for each in body.get("modules") or ()),
        users=tuple(new_user(each) for each in body.get("users") or ()),
        deletion_protection=bool(body.get("deletion_protection")),
        restore=restorepoints.backup(body.get("restorePoint")),
        restore_point=restorepoints.moment(body.get("restorePoint")),
        backup_policy=schedules.at_create(body.get("backup_policy")),
    )


def _group(reference: str | None) -> str | None:
    return id_of(reference) if reference else None


def access(body: Plain | None) -> Plain | None:
    """As it is stored. No ranges: whoever reaches its network reaches its port, as
    clients that only say ``is_public`` expect."""
    if body is None:
        return None
    cidrs = body.get("allowed_cidrs", [])
    for cidr in cidrs:
        try:
            ipaddress.ip_network(cidr, strict=False)
        except ValueError:
            raise errors.Invalid(f"{cidr} is no range of addresses.") from None
    return {"is_public": body.get("is_public", False), "allowed_cidrs": cidrs}


def _refuse_contradictions(body: Plain) -> None:
    if not body.get("replica_of"):
        if body.get("replica_count") is not None:
            raise errors.Invalid("A replica_count needs a replica_of.")
        return
    said = [key for key in INHERITED if body.get(key) is not None]
    if any(nic.get("ip_address") for nic in body.get("nics") or ()):
        said.append("nics[].ip_address")
    if said:
        raise errors.Invalid(
            f"A replica has these from its source: {', '.join(sorted(said))}."
        )


def _nic(nics: list[Plain] | None) -> Plain | None:
    if not nics:
        return None
    nic = nics[0]
    network = _one(nic, "network_id", "net-id")
    subnet, port = nic.get("subnet_id"), nic.get("port-id")
    if not network and not subnet and not port:
        raise errors.Invalid("A nic needs a network_id, a subnet_id or a port-id.")
    if nic.get("ip_address") and not subnet and not port:
        raise errors.Invalid("An ip_address needs the subnet_id it is of.")
    address = _one(nic, "ip_address", "v4-fixed-ip")
    wanted = {"network": network, "subnet": subnet, "address": address, "port": port}
    return {key: value for key, value in wanted.items() if value}


def _one(nic: Plain, name: str, other: str) -> str | None:
    """What two names of one thing say."""
    said = {nic[each] for each in (name, other) if nic.get(each)}
    if len(said) > 1:
        raise errors.Invalid(f"{name} and {other} say two things.")
    return said.pop() if said else None


def new_database(body: Plain) -> NewDatabase:
    """A checked item of ``databases``."""
    return NewDatabase(
        body["name"], body.get("character_set") or None, body.get("collate") or None
    )


def new_user(body: Plain) -> NewUser:
    """A checked item of ``users``."""
    databases: list[Plain] = body.get("databases") or []
    return NewUser(
        name=body["name"],
        password=body["password"],
        host=typing.cast(str, body.get("host") or "%"),
        databases=tuple(database["name"] for database in databases),
    )
