# SPDX-License-Identifier: Apache-2.0
"""openstacksdk and python-troveclient against a running cloud, and what neither knows.

Each method of openstacksdk's database proxy is called; python-troveclient does what
the shell has no command for; plain HTTP the rest.
"""

import typing

import pytest

from tests.system import clients
from tests.system.clients import NOBODY, Proxy, demos
from tests.system.deployment import VERSIONS, Deployment, User, completed, until
from tests.system.subject import by_openstacksdk

pytestmark = [pytest.mark.root, pytest.mark.localcloud]

exceptions = pytest.importorskip("troveclient.exceptions")
diagnostics = pytest.importorskip("troveclient.v1.diagnostics")
management = pytest.importorskip("troveclient.v1.management")

Any = typing.Any


def test_every_method_of_openstacksdks_proxy(deployment: Deployment) -> None:
    proxy = Proxy(deployment)
    by_openstacksdk(proxy, next(proxy.flavors()).name)
    assert proxy.methods() == proxy.called & proxy.methods()


# -- python-troveclient, where the shell has no command -------------------------------


@pytest.mark.parametrize("datastore", VERSIONS)
def test_modules_by_the_library(
    deployment: Deployment, demo: User, datastore: str, tmp_path: Any
) -> None:
    trove, id = clients.library(deployment), demos(demo)[datastore]
    contents = b"message = Hello of the library"
    made = trove.modules.create(f"by-library-{datastore}", "ping", contents)
    assert made.id in {each.id for each in trove.modules.list()}
    trove.modules.update(made, description="for tests")
    trove.instances.module_apply(id, [made])
    demo_done(demo, id)
    (had,) = [each for each in trove.instances.modules(id) if each.id == made.id]
    assert (had.status, had.message) == ("OK", "Hello of the library")
    trove.instances.module_query(id)
    files = trove.instances.module_retrieve(id, directory=str(tmp_path))
    assert files[made.name]
    assert [each.id for each in trove.modules.instances(made)] == [id]
    trove.modules.reapply(made, force=True)
    demo_done(demo, id)
    assert trove.modules.get(made.id).instance_count == 1
    trove.instances.module_remove(id, made)
    demo_done(demo, id)
    trove.modules.delete(made)


def demo_done(demo: User, id: str) -> None:
    """When nothing is under way on an instance, nor for a module of it."""
    until(
        "it is done",
        lambda: (
            not demo.deployment.rows(
                "SELECT 1 FROM operations WHERE lock_key IS NOT NULL"
            )
        ),
    )
    demo.wait(id)


@pytest.mark.parametrize("datastore", VERSIONS)
def test_management_by_the_library(
    deployment: Deployment, demo: User, datastore: str
) -> None:
    keeper, id = clients.library(deployment, "admin"), demos(demo)[datastore]
    seen = keeper.mgmt_instances.show(id)
    assert seen.server["status"] == "ACTIVE" and seen.volume["used"] > 0
    assert id in {each.id for each in keeper.mgmt_instances.index(deleted=False)}
    history = keeper.mgmt_instances.root_enabled_history(id)
    assert history.id == id
    asked = diagnostics.DiagnosticsInterrogator(keeper).get(id)
    assert int(asked.vmRss) > 1000
    asked = diagnostics.HwInfoInterrogator(keeper).get(id)
    assert asked.hwinfo["num_cpus"] >= 1 and asked.hwinfo["mem_total"] > 100
    keeper.mgmt_instances.migrate(id)  # there is nowhere to go to, and it serves on
    demo_done(demo, id)
    keeper.mgmt_instances.stop(id)
    until("it is stopped", lambda: demo.show(id)["operating_status"] == "SHUTDOWN")
    demo_idle(demo, id)
    clients.library(deployment).instances.restart(id)
    demo_done(demo, id)


def demo_idle(demo: User, id: str) -> None:
    until(
        "nothing is under way",
        lambda: (
            not demo.deployment.rows(
                "SELECT 1 FROM operations WHERE object_id = ? AND lock_key IS NOT NULL",
                id,
            )
        ),
    )


def test_passwords_and_access_by_the_library(
    deployment: Deployment, demo: User
) -> None:
    trove, id = clients.library(deployment), demos(demo)["mariadb"]
    user = {"name": "lib", "password": "first", "databases": []}
    trove.users.create(id, [user])
    trove.users.change_passwords(id, [{"name": "lib", "password": "second"}])
    trove.users.grant(id, "lib", ["shop"])
    with demo.connect(demo.show(id), "lib", "second", "shop"):
        pass
    trove.users.delete(id, "lib")
    with pytest.raises(exceptions.NotFound):
        trove.users.get(id, "lib")
    trove.instances.ssl_show(id, include_certificate=True)
    with pytest.raises(exceptions.ClientException):
        trove.instances.ssl_enable(id, "basic", "no-such-secret")
    with pytest.raises(exceptions.ClientException):
        trove.instances.upgrade(id, "no-such-version")


def test_what_cannot_be_had_yet_is_said_to_the_library(
    deployment: Deployment, demo: User
) -> None:
    """Replicas: the library hears a sentence, not a surprise."""
    trove, id = clients.library(deployment), demos(demo)["mariadb"]
    deeds: tuple[typing.Callable[[], Any], ...] = (
        lambda: trove.instances.promote_to_replica_source(id),
        lambda: trove.instances.eject_replica_source(id),
    )
    for deed in deeds:
        with pytest.raises(exceptions.ClientException, match="not supported yet"):
            deed()
    for deed in (
        lambda: trove.backups.get(NOBODY),
        lambda: trove.backups.delete(NOBODY),
    ):
        with pytest.raises(exceptions.NotFound):
            deed()


def test_backups_by_the_library(deployment: Deployment, demo: User) -> None:
    trove, id = clients.library(deployment), demos(demo)["mariadb"]
    made = trove.backups.create("b", id, description="by the library")
    assert made.status == "NEW"
    completed(demo, made.id)
    assert trove.backups.get(made.id).status == "COMPLETED"
    assert made.id in [each.id for each in trove.instances.backups(id)]
    assert made.id in [each.id for each in trove.backups.list()]
    trove.backups.delete(made.id)
    path = f"/backups/{made.id}"
    until("it is gone", lambda: demo.ask("GET", path).status_code == 404, every=1)
    assert made.id not in [each.id for each in trove.instances.backups(id)]


def test_rules_and_versions_by_the_library(deployment: Deployment) -> None:
    trove = clients.library(deployment)
    keeper = clients.library(deployment, "admin")
    rows = keeper.mgmt_ds_versions.list()
    (id,) = [v.id for v in rows if v.name == VERSIONS["mariadb"]]
    assert keeper.mgmt_ds_versions.get(id).datastore_manager == "mariadb"
    assert trove.datastore_versions.get_by_uuid(id).name == VERSIONS["mariadb"]
    store = trove.datastores.get("mariadb").id
    flavors = trove.flavors.list_datastore_version_associated_flavors(store, id)
    assert flavors
    types = trove.volume_types.list_datastore_version_associated_volume_types(store, id)
    assert all(each.name for each in types)
    known = trove.configuration_parameters
    assert known.parameters_by_version(id)
    rule = known.get_parameter_by_version(id, "wait_timeout")
    assert known.get_parameter("mariadb", VERSIONS["mariadb"], "wait_timeout").type
    rules = management.MgmtConfigurationParameters(keeper)
    assert rules.list_all_parameter_by_version(id)
    assert rules.get_any_parameter_by_version(id, "wait_timeout").name
    rules.delete(id, "wait_timeout")
    rules.create(id, "wait_timeout", 0, "integer", str(rule.max), str(rule.min))
    rules.modify(id, "wait_timeout", 0, "integer", rule.max, rule.min)


def test_clusters_by_the_library(deployment: Deployment) -> None:
    """What is asked of one is asked of one that is not there."""
    trove = clients.library(deployment)
    keeper = clients.library(deployment, "admin")
    groups = management.MgmtClusters(keeper)
    assert list(groups.index(deleted=False)) == []
    deeds = (
        lambda: trove.clusters.get(NOBODY),
        lambda: trove.clusters.delete(NOBODY),
        lambda: trove.clusters.add_shard(NOBODY),
        lambda: trove.clusters.grow(NOBODY, [{"flavorRef": "1"}]),
        lambda: trove.clusters.shrink(NOBODY, [{"id": NOBODY}]),
        lambda: trove.clusters.upgrade(NOBODY, "11"),
        lambda: keeper.clusters.reset_status(NOBODY),
        lambda: trove.root.create_cluster_root(NOBODY),
        lambda: trove.root.is_cluster_root_enabled(NOBODY),
        lambda: groups.show(NOBODY),
        lambda: groups.reset_task(NOBODY),
    )
    for deed in deeds:
        with pytest.raises(exceptions.NotFound):
            deed()


# -- plain HTTP, where no library goes -----------------------------------------------


def test_what_no_client_knows(demo: User, admin: User) -> None:
    """Operations and events are this service's own; the rest is for scripts."""
    ids = demos(demo)
    id = ids["mariadb"]

    def said(user: User, method: str, path: str, status: int, body: Any = None) -> Any:
        answer = user.ask(method, path, body)
        assert answer.status_code == status, (path, answer.text)
        return answer.json() if answer.content else None

    rows = said(demo, "GET", "/operations?limit=5", 200)["operations"]
    assert said(demo, "GET", f"/operations/{rows[0]['id']}", 200)["operation"]
    assert said(demo, "GET", f"/instances/{id}/events", 200)["events"]
    assert said(demo, "GET", "/instances/detail", 200)["instances"]
    name = demo.show(id)["name"]
    said(demo, "PATCH", f"/instances/{id}", 202, {"instance": {"name": name}})
    said(admin, "GET", f"/mgmt/instances/{id}/rpc_ping", 204)
    body: Any = {"upgrade": {}}  # it was made of the newest image
    said(admin, "POST", f"/mgmt/instances/{id}/upgrade", 400, body)
    said(demo, "GET", f"/instances/{id}/databases/shop", 200)
    action = f"/clusters/{NOBODY}"
    attach = {"configuration_attach": {"configuration_id": NOBODY}}
    for body in (
        {"restart": {}},
        {"configuration_detach": {}},
        {"reset-status": {"force_delete": 1}},
        attach,
    ):
        said(demo, "POST", action, 404, body)
    said(demo, "GET", f"{action}/instances/{NOBODY}", 404)
    base = demo.api.get_endpoint().rsplit("/v1.0", 1)[0]
    for path in ("/", "/v1.0", "/v1.0/openapi.json", "/healthcheck"):
        answer = demo.api.get(base + path, authenticated=False)
        assert answer.status_code == 200, path


def test_an_administrators_way_out(demo: User, admin: User) -> None:
    """One instance is reset and deleted by its owner, one by the management."""
    for by_owner in (True, False):
        id = demo.create("mariadb", "stuck")
        demo.wait(id)
        body: dict[str, Any]
        if by_owner:
            body = {"reset_status": {"force_delete": 1}}
            answer = demo.ask("POST", f"/instances/{id}/action", body)
        else:
            body = {"reset-task-status": {}}
            path = f"/mgmt/instances/{id}"
            assert admin.ask("POST", f"{path}/action", body).status_code == 202
            answer = admin.ask("DELETE", path)
        assert answer.status_code == 202, answer.text
        demo.gone(id)
