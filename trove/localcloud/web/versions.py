# SPDX-License-Identifier: Apache-2.0
"""Version documents, which need no token, and microversions."""

import json
import re
import typing

import webob

from trove.localcloud.web import calls

LEAST = {"compute": (2, 1), "volume": (3, 0)}
MOST = {"compute": (2, 93), "volume": (3, 59)}
TYPES = {"compute": "compute", "volume": "volume"}
IDS = {"compute": "v2.1", "volume": "v3.0", "network": "v2.0", "image": "v2.9"}
PATHS = {
    "compute": "v2.1",
    "volume": "v3",
    "network": "v2.0",
    "image": "v2",
    "key-manager": "v1",
}
UPDATED = "2026-01-01T00:00:00Z"


def _text(version: tuple[int, int]) -> str:
    return f"{version[0]}.{version[1]}"


def negotiate(service: str, request: webob.Request) -> tuple[int, int]:
    """The microversion that the request asks for."""
    if service not in MOST:
        return (2, 0)
    asked = ""
    for entry in request.headers.get("OpenStack-API-Version", "").split(","):
        words = entry.split()
        if len(words) == 2 and words[0].lower() == TYPES[service]:
            asked = words[1]
    if not asked and service == "compute":
        asked = request.headers.get("X-OpenStack-Nova-API-Version", "")
    if not asked:
        return LEAST[service]
    if asked == "latest":
        return MOST[service]
    match = re.fullmatch(r"(\d+)\.(\d+)", asked)
    if match is None:
        raise calls.Fault(
            400,
            f"API Version String {asked} is of invalid format. Must be MajorNum.Min",
        )
    version = (int(match[1]), int(match[2]))
    if not LEAST[service] <= version <= MOST[service]:
        raise calls.Fault(
            406,
            f"Version {asked} is not supported by the API. Minimum is "
            f"{_text(LEAST[service])} and maximum is {_text(MOST[service])}.",
        )
    return version


def tell(response: webob.Response, service: str, version: tuple[int, int]) -> None:
    """Says by which microversion the request was answered."""
    if service not in MOST:
        return
    response.headers["OpenStack-API-Version"] = f"{TYPES[service]} {_text(version)}"
    if service == "compute":
        response.headers["X-OpenStack-Nova-API-Version"] = _text(version)
    response.headers["Vary"] = "OpenStack-API-Version"


def document(environ: dict[str, typing.Any], endpoint: str) -> webob.Response | None:
    """The version document that the path asks for, or None for any other path."""
    request = webob.Request(environ)
    parts = [part for part in request.path_info.split("/") if part]
    if request.method not in ("GET", "HEAD") or not parts or parts[0] not in PATHS:
        return None
    service = parts[0]
    root = len(parts) == 1 or parts[1:] == ["versions"]
    if not root and parts[1:] != [PATHS[service]]:
        return None
    if service == "key-manager":
        return _secrets(endpoint) if root else None
    entry = _entry(service, endpoint)
    if root:
        # Glance and Cinder say "multiple choices" where Nova and Neutron say 200.
        status = 300 if service in ("image", "volume") and len(parts) == 1 else 200
        said: dict[str, typing.Any] = {"versions": [entry]}
    elif service == "compute":
        status, said = 200, {"version": entry}
    elif service == "volume":
        status, said = 200, {"versions": [entry]}
    elif service == "network":
        status, said = 200, _resources(endpoint)
    else:
        return None
    response = webob.Response(json.dumps(said).encode(), status=status)
    response.content_type = "application/json"
    return response


def _secrets(endpoint: str) -> webob.Response:
    """Barbican's own form of it."""
    links = [{"rel": "self", "href": f"{endpoint}/key-manager/v1/"}]
    values = [{"id": "v1", "status": "stable", "links": links}]
    return webob.Response(json={"versions": {"values": values}}, status=300)


def _entry(service: str, endpoint: str) -> dict[str, typing.Any]:
    href = f"{endpoint}/{service}/{PATHS[service]}/"
    entry: dict[str, typing.Any] = {
        "id": IDS[service],
        "status": "CURRENT",
        "updated": UPDATED,
        "links": [{"rel": "self", "href": href}],
    }
    if service in MOST:
        entry["version"] = _text(MOST[service])
        entry["min_version"] = _text(LEAST[service])
        entry["media-types"] = [
            {
                "base": "application/json",
                "type": f"application/vnd.openstack.{service}+json;version=2.1",
            }
        ]
    return entry


def _resources(endpoint: str) -> dict[str, typing.Any]:
    names = ("network", "subnet", "port", "security-group", "security-group-rule")
    return {
        "resources": [
            {
                "name": name,
                "collection": f"{name}s",
                "links": [{"rel": "self", "href": f"{endpoint}/network/v2.0/{name}s"}],
            }
            for name in names
        ]
    }
