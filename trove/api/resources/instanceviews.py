# SPDX-License-Identifier: Apache-2.0
"""What an instance looks like: in a list, in detail, shown alone.

What does not hold is absent, never null: clients test for presence (contract, 6.1).
"""

import typing

from trove.actions import instances
from trove.api.dates import shown
from trove.api.resource import Ask, Plain
from trove.model.archives import Span

GIGABYTE = 1024.0**3


def summary(ask: Ask, seen: typing.Any) -> Plain:
    """An item of GET /instances."""
    row = seen.instance
    status, operating = instances.status(ask.services, seen)
    view: Plain = {
        "id": row.id,
        "name": row.name,
        "status": status,
        "operating_status": operating,
        "links": ask.links.of("instances", row.id),
        "flavor": {
            "id": row.flavor_id,
            "links": ask.links.of("flavors", row.flavor_id),
        },
        "datastore": {
            "type": seen.datastore,
            "version": seen.version.name if seen.version else None,
        },
        "region": row.region,
        "access": _access(row),
    }
    if row.volume_size is not None:
        view["volume"] = {"size": row.volume_size}
    if row.hostname:
        view["hostname"] = row.hostname
    elif row.addresses:
        view["ip"] = [each["address"] for each in _private_first(row.addresses)]
        view["addresses"] = [dict(each) for each in _private_first(row.addresses)]
    if seen.source:
        view["replica_of"] = _reference(ask, seen.source)
    if seen.replicas:
        view["replicas"] = [_reference(ask, id) for id in seen.replicas]
    if ask.context.is_admin:
        view["tenant_id"] = row.project
    return view | _restorable(seen)


def detail(ask: Ask, seen: typing.Any) -> Plain:
    """An item of GET /instances/detail, and what a create answers."""
    row, report = seen.instance, seen.report
    view = summary(ask, seen)
    view["datastore"]["version_number"] = seen.version.number if seen.version else None
    view["created"] = shown(row.created)
    view["updated"] = shown(row.updated)
    view["service_status_updated"] = shown(
        report.received_at if report else row.updated
    )
    if row.fault:
        view["fault"] = {
            "message": row.fault,
            "created": shown(row.fault_at or row.updated),
            "details": row.fault_details if ask.context.is_admin else None,
        }
    if row.configuration_id and seen.configuration:
        view["configuration"] = {
            "id": row.configuration_id,
            "name": seen.configuration,
            "links": ask.links.of("configurations", row.configuration_id),
        }
    if row.locality:
        view["locality"] = row.locality
    if row.deletion_protection:
        view["deletion_protection"] = True
    if ask.context.is_admin:
        view |= {
            "server_id": row.server_id,
            "volume_id": row.volume_id,
            # a guest's messages travel in TLS, and the secrets in them sealed
            "encrypted_rpc_messaging": True,
        }
    return view


def whole(ask: Ask, seen: typing.Any) -> Plain:
    """GET /instances/{id}: with what the guest last said of its disk."""
    view = detail(ask, seen)
    report = seen.report
    if "volume" in view and report is not None and report.disk_used is not None:
        view["volume"]["used"] = round(report.disk_used / GIGABYTE, 2)
        if report.disk_total:
            share = 100.0 * report.disk_used / report.disk_total
            view["volume"]["used_percent"] = round(share, 2)
    if spans := ranges(seen.restorable):
        view["restorable_times"] = spans
    return view


def ranges(spans: typing.Iterable[Span]) -> list[Plain]:
    """The moments that can be restored, the oldest first."""
    whole = [span.seconds for span in spans]
    return [{"from": shown(s.begin), "until": shown(s.end)} for s in whole if s]


def _restorable(seen: typing.Any) -> Plain:
    """The last range of moments that can be restored; none, where there is none."""
    found = ranges(seen.restorable[-1:])
    if not found:
        return {}
    return {
        "earliest_restorable_time": found[0]["from"],
        "latest_restorable_time": found[0]["until"],
    }


def _access(row: typing.Any) -> Plain:
    if row.access:
        return dict(row.access)
    if not row.addresses:
        return {}
    return {"is_public": any(each["type"] == "public" for each in row.addresses)}


def _private_first(addresses: list[Plain]) -> list[Plain]:
    return sorted(addresses, key=lambda each: each["type"] != "private")


def _reference(ask: Ask, id: str) -> Plain:
    return {"id": id, "links": ask.links.of("instances", id)}
