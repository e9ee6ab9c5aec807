# SPDX-License-Identifier: Apache-2.0
"""A cloud that has a bad day: every call and every fault, then whole flows (T10-T12).

The real local cloud and Keystone stand behind a proxy that answers in their place, or
loses what they said.
"""

import contextlib
import os
import pathlib
import signal
import subprocess
import sys
import time
import typing
import uuid

import pytest

from tests.system.deployment import ask, until
from tests.system.faults.conftest import LONG
from tests.system.faults.proxy import FAULTS, SILENT, UNREADABLE, Proxy
from trove import errors
from trove.cloud import protocol
from trove.cloud.openstack import OpenstackCloud
from trove.cloud.openstack.session import Settings
from trove.localcloud import identity

pytestmark = [pytest.mark.root, pytest.mark.localcloud]

ID = "11111111-2222-4333-8444-555555555555"
SERVICES = "/(compute|volume|network|image)/"
BOUND = 5.0
"""Seconds that a call may take when nothing is heard for a second at a time."""

SLOW = ("compute.boot", "volumes.show", "network.delete_port", "images.newest")
"""The calls that are kept waiting, or need a new token: each takes its second."""

BOOT = protocol.Boot("db", ID, "1", (), None, "")
MAKES = {
    "compute.boot": lambda c: c.compute.boot("x.server", BOOT),
    "volumes.create": lambda c: c.volumes.create("x.volume", 1),
    "snapshots.create": lambda c: c.snapshots.create("x.snapshot", ID),
    "network.create_port": lambda c: c.network.create_port("x.port", net(c), ()),
    # each its own: one that was made by a lost request is taken, not made again
    "network.create_group": lambda c: c.network.create_group(f"{uuid.uuid4()}.g", ()),
    "network.create_floating_ip": lambda c: c.network.create_floating_ip(
        f"{uuid.uuid4()}.public", net(c), ID
    ),
    "server_groups.create": lambda c: c.server_groups.create(
        f"{uuid.uuid4()}.s", "affinity"
    ),
}
LOOKS = {
    "compute.find": lambda c: c.compute.find("x.server"),
    "compute.owned": lambda c: c.compute.owned(),
    "compute.show": lambda c: c.compute.show(ID),
    "compute.flavors": lambda c: c.compute.flavors(),
    "compute.flavor": lambda c: c.compute.flavor("1"),
    "compute.console": lambda c: c.compute.console(ID),
    "server_groups.find": lambda c: c.server_groups.find("x.servers"),
    "server_groups.owned": lambda c: c.server_groups.owned(),
    "server_groups.show": lambda c: c.server_groups.show(ID),
    "volumes.types": lambda c: c.volumes.types(),
    "volumes.find": lambda c: c.volumes.find("x.volume"),
    "volumes.owned": lambda c: c.volumes.owned(),
    "volumes.show": lambda c: c.volumes.show(ID),
    "snapshots.find": lambda c: c.snapshots.find("x.snapshot"),
    "snapshots.owned": lambda c: c.snapshots.owned(),
    "snapshots.show": lambda c: c.snapshots.show(ID),
    "network.find_ports": lambda c: c.network.find_ports("x.port"),
    "network.owned_ports": lambda c: c.network.owned_ports(),
    "network.show_port": lambda c: c.network.show_port(ID),
    "network.find_groups": lambda c: c.network.find_groups("x.group"),
    "network.owned_groups": lambda c: c.network.owned_groups(),
    "network.find_floating_ips": lambda c: c.network.find_floating_ips("x.public"),
    "network.owned_floating_ips": lambda c: c.network.owned_floating_ips(),
    "network.show_floating_ip": lambda c: c.network.show_floating_ip(ID),
    "network.network": lambda c: c.network.network(ID),
    "network.networks": lambda c: c.network.networks(),
    "images.show": lambda c: c.images.show(ID),
    "images.newest": lambda c: c.images.newest(("trove",)),
}
DOES = {
    "compute.delete": lambda c: c.compute.delete(ID),
    "compute.reboot": lambda c: c.compute.reboot(ID),
    "compute.stop": lambda c: c.compute.stop(ID),
    "compute.start": lambda c: c.compute.start(ID),
    "compute.attach": lambda c: c.compute.attach(ID, ID),
    "compute.detach": lambda c: c.compute.detach(ID, ID),
    "compute.resize": lambda c: c.compute.resize(ID, "2"),
    "compute.migrate": lambda c: c.compute.migrate(ID),
    "compute.confirm": lambda c: c.compute.confirm(ID),
    "compute.revert": lambda c: c.compute.revert(ID),
    "compute.rebuild": lambda c: c.compute.rebuild(ID, ID, "", "mark"),
    "server_groups.delete": lambda c: c.server_groups.delete(ID),
    "volumes.retain": lambda c: c.volumes.retain(ID, "why"),
    "volumes.resume": lambda c: c.volumes.resume(ID),
    "volumes.delete": lambda c: c.volumes.delete(ID),
    "volumes.extend": lambda c: c.volumes.extend(ID, 2),
    "snapshots.delete": lambda c: c.snapshots.delete(ID),
    "network.delete_port": lambda c: c.network.delete_port(ID),
    "network.set_pairs": lambda c: c.network.set_pairs(ID, ("10.0.0.9",)),
    "network.delete_group": lambda c: c.network.delete_group(ID),
    "network.delete_floating_ip": lambda c: c.network.delete_floating_ip(ID),
}
CALLS = MAKES | LOOKS | DOES
ABSENT = (type(None), protocol.Refused, errors.FlavorNotFound)
FINAL = {"400": protocol.Refused, "403": protocol.Refused, "413": protocol.Refused}
LATER = {"413 later": 3.0, "429": 1.0, "503": 1.0}


def test_every_call_of_the_protocol_is_in_the_table():
    """One that is added is one more row."""
    kinds = typing.get_type_hints(protocol.Cloud)
    declared = {
        f"{noun}.{name}"
        for noun, kind in kinds.items()
        for name, what in vars(kind).items()
        if not name.startswith("_") and not isinstance(what, property)
    }
    assert set(CALLS) == declared


def net(cloud):
    return net.known


@pytest.fixture
def proxy(monkeypatch):
    made = Proxy()
    monkeypatch.setenv("http_proxy", made.url)
    monkeypatch.setenv("no_proxy", "")
    yield made
    made.close()


def connected(place, patience):
    return OpenstackCloud(
        Settings(
            auth_url=f"{identity.url(place)}/v3",
            deployment="badday",
            username="trove",
            password=identity.passwords(place)["trove"],
            project_name=identity.SERVICE,
            region_name=identity.REGION,
            read_timeout=patience,
        )
    )


@pytest.fixture
def patient(deployment, proxy):
    """The cloud through the proxy; what was made goes again."""
    made = connected(deployment.place, 30.0)
    net.known = made.network.networks()[0].id
    yield made
    proxy.clear()
    for port in made.network.owned_ports():
        made.network.delete_port(port.id)
    for group in made.network.owned_groups():
        made.network.delete_group(group.id)
    for group in made.server_groups.owned():
        made.server_groups.delete(group.id)
    until("no volume is left", lambda: gone(made), 30)
    made.close()


@pytest.fixture
def hasty(deployment, patient):
    """The same, with the same token, for whom a second is long."""
    made = connected(deployment.place, 1.0)
    made.access.auth = patient.access.auth
    yield made
    made.close()


def gone(cloud):
    with contextlib.suppress(protocol.Passing):
        for volume in cloud.volumes.owned():
            if volume.status in ("available", "error"):
                cloud.volumes.delete(volume.id)
        return not cloud.volumes.owned()


def outcome(call, cloud):
    """What it raised, or None; and how long it took."""
    began = time.monotonic()
    try:
        call(cloud)
    except errors.TroveError as error:
        return error, time.monotonic() - began
    return None, time.monotonic() - began


def as_it_should(name, fault, error):
    """Whether an error is of the class that operations.md gives it."""
    making = name in MAKES
    if fault == "404" and not making:
        return isinstance(error, ABSENT)
    if name in DOES and fault in ("400", "409", *UNREADABLE):
        # to stop what is stopped is success, and what is in use is a conflict
        return isinstance(error, (type(None), protocol.Passing, protocol.Refused))
    if fault in FINAL or fault == "404":
        return type(error) is protocol.Refused
    if fault == "409":
        return type(error) is protocol.CloudConflict
    if fault in ("401", "413 later", "429") or not making:
        wanted = protocol.Passing
    else:
        wanted = protocol.Unknown
    return type(error) is wanted and (
        fault not in LATER or error.retry_after == LATER[fault]
    )


def test_every_call_meets_every_fault(patient, hasty, proxy):
    """Each is told by its class, within its bound; and then the call works again."""
    wrong = []
    for name, call in CALLS.items():
        for fault in (*FAULTS, *SILENT):
            if fault in ("hang", "401") and name not in SLOW and not LONG:
                continue
            proxy.on("POST" if name in MAKES else ".*", SERVICES, fault, 99)
            error, seconds = outcome(call, hasty if fault == "hang" else patient)
            proxy.clear()
            late = fault == "hang" and seconds > BOUND
            if late or not as_it_should(name, fault, error):
                wrong.append(f"{name} x {fault}: {error!r} after {seconds:.1f} s")
        if name in LOOKS:
            error, _ = outcome(call, patient)
            assert error is None or isinstance(error, ABSENT), (name, error)
    assert not wrong, "\n".join(wrong)


# -- whole flows -----------------------------------------------------------------------

USER = {"name": "ada", "password": "correct horse", "databases": [{"name": "shop"}]}

CREATE = [
    ("GET", "/security-groups", "500"),
    ("POST", "/security-groups", "done and reset"),
    ("POST", "/security-group-rules", "503"),
    ("GET", "/ports", "malformed"),
    ("POST", "/ports", "504"),
    ("POST", "/volume/v3/[^/]*/volumes ", "429"),
    ("GET", "/volume/v3/[^/]*/volumes/", "half"),
    ("POST", "/servers ", "done and reset"),
    ("GET", "/servers/detail", "502"),
    ("GET", "/compute/.*/servers/[0-9a-f-]{36}", "reset"),
    ("GET", "/compute/.*/servers/[0-9a-f-]{36}", "401"),
]
DELETE = [
    ("DELETE", "/compute/.*/servers/", "503"),
    ("GET", "/compute/.*/servers/[0-9a-f-]{36}", "504"),
    ("DELETE", "/ports/", "done and reset"),
    ("DELETE", "/security-groups/", "409"),
    ("DELETE", "/volumes/", "500"),
    ("GET", "/volumes/", "malformed"),
]


@pytest.fixture
def through(deployment, proxy, tmp_path):
    """A taskmanager whose cloud is behind the proxy; the others sleep meanwhile."""
    place = deployment.place
    own = tmp_path / "own.conf"
    own.write_text(
        f"[DEFAULT]\nready_file = {tmp_path}/ready\n"
        "[taskmanager]\nlease = 10\ncall_timeout = 5\nvisibility_grace = 6\n"
        "poll_interval = 0.3\n[cloud]\nread_timeout = 4\nconnect_timeout = 0.8\n"
    )
    argv = [sys.executable, "-m", "trove.cmd.taskmanager"]
    for file in ("trove.conf", "trove-taskmanager.conf"):
        argv += ["--config-file", str(place.etc / file)]
    argv += ["--config-file", str(own)]
    known = deployment.processes()
    others = [known[name]["pid"] for name in ("taskmanager-1", "taskmanager-2")]
    log = pathlib.Path(tmp_path / "taskmanager.log")
    until("the others rest", lambda: deployment.rest(*others), 30)
    try:
        with log.open("wb") as out:
            process = subprocess.Popen(
                argv,
                stdout=out,
                stderr=out,
                cwd=pathlib.Path(__file__).parents[2],
                env={**os.environ, "PYTHONUNBUFFERED": "1"},
            )
        until("it is up", (tmp_path / "ready").exists, 60)
        yield log
        process.terminate()
        process.wait(60)
    finally:
        process.kill()
        process.wait(10)
        for pid in others:
            os.kill(pid, signal.SIGCONT)
        print(log.read_text(errors="replace")[-4000:])


def test_whole_flows_on_a_bad_day(deployment, demo, proxy, through):
    """Create and delete end well whatever passes; what is final ends in ERROR, empty.

    In the middle every token of the service's is revoked: it asks for another (T12).
    A list that does not show the new server yet makes no second one (T11).
    """
    for fault in CREATE:
        proxy.on(*fault)
    stuck = proxy.on(
        "GET",
        "/compute/.*/servers/[0-9a-f-]{36} ",
        lambda said: said.replace(b'"ACTIVE"', b'"BUILD"'),
        3,
    )
    unseen = proxy.on("GET", "/servers/detail.*trove-key", nothing_yet, 2)
    made = [demo.create(kind, f"bad-{kind}", [USER]) for kind in ("mariadb",)]
    until("its server is ordered", lambda: proxied(proxy, "/servers "), 60)
    revoke(deployment, proxy)
    for id in made:
        with demo.connect(demo.wait(id), "ada", "correct horse", "shop") as line:
            assert ask(line, "SELECT 1")[0][0] == 1
    assert stuck.met and unseen.met
    assert [f"{f.method} {f.where.pattern}" for f in proxy.clear()] == []
    for fault in DELETE:
        proxy.on(*fault)
    for id in made:
        demo.delete(id)
    for id in made:
        demo.gone(id)
    assert [f"{f.method} {f.where.pattern}" for f in proxy.clear()] == []


ACTION = "/compute/.*/servers/[^/]*/action "
CHANGES = {
    "public": [
        ("GET", "/floatingips", "503"),
        ("POST", "/floatingips", "done and reset"),
        ("GET", "/floatingips", "malformed"),
    ],
    "private": [
        ("DELETE", "/floatingips/", "500"),
        ("DELETE", "/floatingips/", "done and reset"),
    ],
    "resize": [
        ("POST", f'{ACTION}.*"resize"', "504"),
        ("GET", "/compute/.*/servers/[0-9a-f-]{36}", "500"),
        ("POST", f'{ACTION}.*"confirmResize"', "done and reset"),
    ],
    "grow": [
        ("POST", "/volumes/[^/]*/action .*os-extend", "done and reset"),
        ("GET", "/volume/v3/[^/]*/volumes/", "502"),
    ],
    "reboot": [
        ("POST", f'{ACTION}.*"reboot"', "429"),
        ("GET", "/compute/.*/servers/[0-9a-f-]{36}", "half"),
    ],
    "delete": [
        ("DELETE", "/os-server-groups/", "503"),
        ("DELETE", "/os-server-groups/", "done and reset"),
    ],
}
"""What is asked for, and what the cloud does meanwhile."""


def test_changes_on_a_bad_day(deployment, demo, admin, proxy, through):
    """The calls of the later flows: each change ends as it would, and nothing leaks."""
    proxy.on("POST", "/os-server-groups", "done and reset")
    proxy.on("GET", "/os-server-groups", "500")
    id = demo.create("mariadb", "changed", [USER], locality="anti-affinity")
    demo.wait(id)
    assert [f"{f.method} {f.where.pattern}" for f in proxy.clear()] == []
    path = f"/instances/{id}"
    asks = {
        "public": (demo, "PUT", path, {"instance": {"access": {"is_public": True}}}),
        "private": (demo, "PUT", path, {"instance": {"access": {"is_public": False}}}),
        "resize": (demo, "POST", f"{path}/action", {"resize": {"flavorRef": "2"}}),
        "grow": (demo, "POST", f"{path}/action", {"resize": {"volume": {"size": 2}}}),
        "reboot": (admin, "POST", f"/mgmt{path}/action", {"reboot": {}}),
        "delete": (demo, "DELETE", path, None),
    }
    for name, (who, method, where, body) in asks.items():
        for fault in CHANGES[name]:
            proxy.on(*fault)
        answer = who.ask(method, where, body)
        assert answer.status_code == 202, (name, answer.text)
        if name == "delete":
            demo.gone(id)
            break
        with demo.connect(demo.wait(id), "ada", "correct horse", "shop") as line:
            assert ask(line, "SELECT 1")[0][0] == 1
        shown = demo.show(id)
        assert "fault" not in shown, (name, shown["fault"])
        unmet = [f"{f.method} {f.where.pattern}" for f in proxy.clear()]
        assert unmet == [], name
    assert shown["volume"]["size"] == 2 and shown["flavor"]["id"] == "2"
    with contextlib.closing(deployment.cloud()) as cloud:
        assert cloud.network.owned_floating_ips() == []
        assert cloud.server_groups.owned() == []


def test_what_is_final_ends_in_a_visible_error(deployment, demo, proxy, through):
    proxy.on("POST", '/servers .*"refused"', "403", 99)
    broken = proxy.on(
        "GET",
        "/compute/.*/servers/[0-9a-f-]{36} ",
        lambda said: said.replace(b'"ACTIVE"', b'"ERROR"').replace(
            b'"BUILD"', b'"ERROR"'
        ),
        99,
    )
    made = [demo.create("mariadb", name) for name in ("refused", "broken")]
    for id in made:
        until("it is in ERROR", lambda id=id: demo.show(id)["status"] == "ERROR")
        assert demo.show(id)["fault"]["message"]
    assert broken.met
    proxy.clear()
    for id in made:
        demo.delete(id)
    for id in made:
        demo.gone(id)


def nothing_yet(said):
    """A list of servers that is behind."""
    return b'{"servers": []}'


def proxied(proxy, where):
    with proxy._lock:
        return [f for f in proxy._faults if where in f.where.pattern and f.met]


def revoke(deployment, proxy):
    """Every token that was shown to the cloud so far is worth nothing now."""
    import requests

    session = requests.Session()
    session.trust_env = False
    with session:
        for token in list(proxy.tokens - {""}):
            session.delete(
                f"{identity.url(deployment.place)}/v3/auth/tokens",
                headers={"X-Auth-Token": token, "X-Subject-Token": token},
                timeout=20,
            )
