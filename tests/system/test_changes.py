# SPDX-License-Identifier: Apache-2.0
"""A larger volume and other access rules; another flavor."""

import contextlib

import psycopg
import pymysql
import pytest

from tests.system.deployment import VERSIONS, ask, until

pytestmark = [pytest.mark.root, pytest.mark.localcloud]

USER = {"name": "ada", "password": "correct horse", "databases": [{"name": "shop"}]}
MEMORY = {
    "mariadb": "SELECT @@innodb_buffer_pool_size",
    "postgresql": "SELECT pg_size_bytes(current_setting('shared_buffers'))",
}
FITTED = {
    "mariadb": ("mariadb.service", "/etc/trove-mariadb/10-flavor.cnf"),
    "postgresql": ("trove-postgresql.service", "/etc/trove-postgresql/10-flavor.conf"),
}
"""The unit of the engine, and what of its configuration the flavor decides."""
ELSEWHERE = "192.0.2.0/24"
REFUSED = (pymysql.err.OperationalError, psycopg.OperationalError)


def enter(demo, shown):
    return demo.connect(shown, USER["name"], USER["password"], "shop")


@pytest.fixture(scope="module", params=VERSIONS)
def served(request, demo):
    """An instance that serves."""
    id = demo.create(request.param, f"changes-{request.param}", [USER])
    yield demo.wait(id)
    demo.delete(id)
    demo.gone(id)


def test_a_volume_grows_under_a_database_that_serves(deployment, demo, served):
    id = served["id"]
    with enter(demo, served) as line:
        ask(line, "CREATE TABLE t (n INT)")
        ask(line, "INSERT INTO t VALUES (42)")
        body = {"resize": {"volume": {"size": 2}}}
        answer = demo.ask("POST", f"/instances/{id}/action", body)
        assert answer.status_code == 202, answer.text
        until("it has grown", lambda: demo.show(id)["volume"]["size"] == 2)
        assert ask(line, "SELECT n FROM t")[0][0] == 42, "the session went on"
        ask(line, "INSERT INTO t VALUES (43)")
    demo.wait(id)
    total = "SELECT disk_total FROM guest_reports WHERE instance_id = ?"
    until(
        "the guest has seen it",
        lambda: deployment.rows(total, id)[0][0] > 1.8 * 1024**3,
    )
    answer = demo.ask("POST", f"/instances/{id}/action", body)
    assert answer.status_code == 400 and "larger" in answer.text


def test_another_flavor_is_what_the_engine_is_fitted_to(demo, served):
    id = served["id"]
    kind = served["datastore"]["type"]
    with enter(demo, served) as line:
        ask(line, "CREATE TABLE kept (n INT)")
        ask(line, "INSERT INTO kept VALUES (7)")
        before = ask(line, MEMORY[kind])[0][0]
    body = {"resize": {"flavorRef": "2"}}
    answer = demo.ask("POST", f"/instances/{id}/action", body)
    assert answer.status_code == 202, answer.text
    assert demo.show(id)["status"] == "RESIZE"
    until("it has the flavor", lambda: demo.show(id)["flavor"]["id"] == "2")
    shown = demo.wait(id)
    assert not shown.get("fault")
    with enter(demo, shown) as line:
        assert ask(line, "SELECT n FROM kept")[0][0] == 7
        assert ask(line, MEMORY[kind])[0][0] > before


def test_a_flavor_that_its_database_cannot_run_in_is_taken_back(
    deployment, demo, served
):
    """In its guest the engine starts only with the memory that it has now."""
    id, kind = served["id"], served["datastore"]["type"]
    unit, layer = FITTED[kind]
    drop = f"/etc/systemd/system/{unit}.d"
    only = f"[Service]\nExecStartPre=+/usr/bin/cmp {layer} /etc/fitted\n"
    spoil = f"cp {layer} /etc/fitted; mkdir -p {drop}; cat > {drop}/spoilt.conf"
    deployment.inside(id, "sh", "-c", spoil, input=only)
    deployment.inside(id, "systemctl", "daemon-reload")
    had = demo.show(id)["flavor"]["id"]
    body = {"resize": {"flavorRef": "1" if had == "2" else "2"}}
    answer = demo.ask("POST", f"/instances/{id}/action", body)
    assert answer.status_code == 202, answer.text
    until("it is over", lambda: demo.show(id)["status"] == "ACTIVE")
    shown = demo.wait(id)
    assert shown["flavor"]["id"] == had
    assert "start_database" in shown["fault"]["message"]
    with enter(demo, shown) as line:
        assert ask(line, "SELECT n FROM kept")[0][0] == 7
    with contextlib.closing(deployment.cloud()) as cloud:
        (server,) = deployment.rows("SELECT server_id FROM instances WHERE id = ?", id)
        found = cloud.compute.show(server[0])
    assert (found.status, found.flavor) == ("ACTIVE", had)


def test_an_administrator_stops_a_database_and_reboots_a_server(
    deployment, demo, admin, served
):
    id = served["id"]

    def boot():
        told = "SELECT boot FROM guest_reports WHERE instance_id = ?"
        return deployment.rows(told, id)[0][0]

    def act(deed, status=202):
        answer = admin.ask("POST", f"/mgmt/instances/{id}/action", {deed: {}})
        assert answer.status_code == status, answer.text

    told = admin.ask("GET", f"/mgmt/instances/{id}/hwinfo").json()["hwinfo"]
    assert told["num_cpus"] >= 1 and 0 < told["mem_total"]
    assert admin.ask("GET", f"/mgmt/instances/{id}/rpc_ping").status_code == 204
    before = boot()
    act("reboot")
    assert demo.show(id)["status"] == "REBOOT"
    act("reboot", 422)
    shown = demo.wait(id)
    assert boot() > before and not shown.get("fault")
    with enter(demo, shown) as line:
        assert ask(line, "SELECT n FROM kept")[0][0] == 7
    act("stop")
    until("it is stopped", lambda: demo.show(id)["operating_status"] == "SHUTDOWN")
    with pytest.raises(REFUSED):
        enter(demo, shown).close()
    act("reboot")
    until("it is rebooted", lambda: demo.show(id)["status"] == "ACTIVE")
    assert demo.show(id)["operating_status"] == "SHUTDOWN", "a boot starts it not"
    answer = demo.ask("POST", f"/instances/{id}/action", {"restart": {}})
    assert answer.status_code == 202, answer.text
    demo.wait(id)


def test_a_cloud_of_one_machine_has_nowhere_to_migrate_to(demo, admin, served):
    """The database is stopped for it, and serves again; the fault says why."""
    id = served["id"]
    body = {"migrate": {}}
    answer = admin.ask("POST", f"/mgmt/instances/{id}/action", body)
    assert answer.status_code == 202, answer.text
    path = f"/operations?instance_id={id}"

    def over():
        (last, *_) = demo.ask("GET", path).json()["operations"]
        return last if last["state"] in ("done", "failed", "stuck") else None

    ended = until("the migration has ended", over)
    assert (ended["type"], ended["state"]) == ("instance.migrate", "failed")
    assert "No valid host" in ended["fault"]
    shown = demo.wait(id)
    assert "No valid host" in shown["fault"]["message"]
    with enter(demo, shown) as line:
        assert ask(line, "SELECT n FROM kept")[0][0] == 7


def test_who_may_reach_the_port_is_changed_and_changed_back(demo, served):
    id = served["id"]

    def allow(*cidrs):
        body = {"instance": {"access": {"allowed_cidrs": list(cidrs)}}}
        answer = demo.ask("PUT", f"/instances/{id}", body)
        assert answer.status_code == 202, answer.text
        return demo.wait(id)

    assert allow(ELSEWHERE)["access"]["allowed_cidrs"] == [ELSEWHERE]
    with pytest.raises(REFUSED):
        enter(demo, served).close()
    allow()
    with enter(demo, served) as line:
        assert ask(line, "SELECT 1")[0][0] == 1


@contextlib.contextmanager
def told(deployment, line):
    """The operator adds a line to [cloud], and the API starts anew; then without it."""
    path = deployment.place.etc / "trove.conf"
    before = path.read_text()
    assert "[cloud]\n" in before
    try:
        path.write_text(before.replace("[cloud]\n", f"[cloud]\n{line}\n", 1))
        begun_anew(deployment, "api")
        yield
    finally:
        path.write_text(before)
        begun_anew(deployment, "api")


def begun_anew(deployment, name):
    old = deployment.processes()[name]["pid"]
    deployment.kill(old)
    until("another process", lambda: deployment.processes()[name]["pid"] != old)
    until("every process is up", deployment.all_up)


def test_a_volume_grows_offline_where_the_cloud_grows_none_in_use(
    deployment, demo, served
):
    """Its server is off meanwhile, and the volume with nobody."""
    id, size = served["id"], demo.show(served["id"])["volume"]["size"]
    with enter(demo, served) as line:
        ask(line, "CREATE TABLE offline (n INT)")
        ask(line, "INSERT INTO offline VALUES (5)")
    body = {"resize": {"volume": {"size": size + 1}}}
    with told(deployment, "extend_in_use = false"):
        path = f"/instances/{id}/action"
        said = demo.ask("POST", f"{path}?dry_run=1", body).json()["dry_run"]
        assert said["operations"][0]["outage"] == "server"
        assert demo.ask("POST", path, body).status_code == 202
        until("it has grown", lambda: demo.show(id)["volume"]["size"] == size + 1)
        shown = demo.wait(id)
    assert not shown.get("fault")
    kinds = "SELECT kind, state FROM operations WHERE object_id = ? ORDER BY created"
    assert deployment.rows(kinds, id)[-1] == ("instance.resize_volume_offline", "done")
    with enter(demo, shown) as line:
        assert ask(line, "SELECT n FROM offline")[0][0] == 5
    total = "SELECT disk_total FROM guest_reports WHERE instance_id = ?"
    until(
        "the guest has seen it",
        lambda: deployment.rows(total, id)[0][0] > (size + 0.8) * 1024**3,
    )
