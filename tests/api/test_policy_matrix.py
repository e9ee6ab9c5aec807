# SPDX-License-Identifier: Apache-2.0
"""Every route, every kind of caller: who gets past the policy. A golden table.

``ok`` is any answer that is not 401 or 403; a stranger uses the own project's path,
with the id of another project's instance in it.
"""

import typing

import pytest
from oslo_policy import policy as oslo

from tests.api.world import COPY, DEMO, MODULE, World
from trove.api import policy
from trove.api.resources import TABLE
from trove.api.table import Route

READ = {
    "reader": "ok",
    "member": "ok",
    "admin": "ok",
    "stranger": "ok",
    "roleless": 403,
}
ONE = READ | {"stranger": 404}
WRITE = ONE | {"reader": 403}
RULE = READ | {"reader": 403, "member": 403, "stranger": 403}
OPEN = READ | {"roleless": "ok"}

NEVER = dict.fromkeys(READ, 404) | {"roleless": 403}
CHANGED = NEVER | {"reader": 403}
RULED = CHANGED | {"member": 403, "stranger": 403}
"""Of what nobody has: clusters."""

EXPECTED = {
    "backup:create": READ | {"reader": 403},
    "backup:delete": WRITE,
    "backup:index": READ,
    "backup:show": ONE,
    "backup:verify": WRITE,
    "backup_strategy:create": READ | {"reader": 403},
    "backup_strategy:delete": READ | {"reader": 403},
    "backup_strategy:index": READ,
    "instance:archives": ONE,
    "instance:backups": ONE,
    "instance:backup_policy_show": ONE,
    "instance:backup_policy_update": WRITE,
    "cluster:action": CHANGED,
    "cluster:create": READ | {"reader": 403},
    "cluster:delete": CHANGED,
    "cluster:extension:root:create": CHANGED,
    "cluster:extension:root:index": NEVER,
    "cluster:force_delete": CHANGED,
    "cluster:index": READ,
    "cluster:reset-status": RULED,
    "cluster:show": NEVER,
    "cluster:show_instance": NEVER,
    "configuration-parameter:index": READ,
    "configuration-parameter:index_by_version": READ,
    "configuration-parameter:show": READ,
    "configuration-parameter:show_by_version": READ,
    "configuration:create": READ | {"reader": 403},
    "configuration:delete": WRITE,
    "configuration:edit": WRITE,
    "configuration:index": READ,
    "configuration:instances": ONE,
    "configuration:show": ONE,
    "configuration:update": WRITE,
    "datastore:delete": RULE,
    "datastore:index": OPEN,
    "datastore:list_associated_flavors": OPEN,
    "datastore:list_associated_volume_types": OPEN,
    "datastore:show": OPEN,
    "datastore:version_index": OPEN,
    "datastore:version_show": OPEN,
    "datastore:version_show_by_uuid": OPEN,
    "flavor:index": OPEN,
    "flavor:show": OPEN,
    "instance:configuration": ONE,
    "instance:copy_discard": WRITE,
    "instance:copy_list": ONE,
    "instance:create": READ | {"reader": 403},
    "instance:delete": WRITE,
    "instance:detail": READ,
    "instance:edit": WRITE,
    "instance:eject_replica_source": WRITE,
    "instance:events": ONE,
    "instance:extension:database:create": WRITE,
    "instance:extension:database:delete": WRITE,
    "instance:extension:database:index": ONE,
    "instance:extension:database:show": ONE,
    "instance:extension:root:create": WRITE,
    "instance:extension:root:delete": WRITE,
    "instance:extension:root:index": ONE,
    "instance:extension:user:create": WRITE,
    "instance:extension:user:delete": WRITE,
    "instance:extension:user:index": ONE,
    "instance:extension:user:show": ONE,
    "instance:extension:user:update": WRITE,
    "instance:extension:user:update_all": WRITE,
    "instance:extension:user_access:delete": WRITE,
    "instance:extension:user_access:index": ONE,
    "instance:extension:user_access:update": WRITE,
    "instance:force_delete": WRITE,
    "instance:guest_log_action": WRITE,
    "instance:guest_log_list": ONE,
    "instance:index": READ,
    "instance:module_apply": WRITE,
    "instance:module_list": ONE,
    "instance:module_remove": WRITE,
    "instance:promote_to_replica_source": WRITE,
    "instance:reset_status": RULE,
    "instance:resize_flavor": WRITE,
    "instance:resize_volume": WRITE,
    "instance:restart": WRITE,
    # an administrator has no container of the instance's project
    "instance:export": WRITE | {"admin": 403},
    "instance:import": WRITE | {"admin": 403},
    "instance:show": ONE,
    "instance:ssl_show": ONE,
    "instance:ssl_update": WRITE,
    "instance:update": WRITE,
    "limits:index": READ,
    "mgmt_cluster:index": RULE,
    "mgmt_cluster:reset_task": RULED,
    "mgmt_cluster:show": RULED,
    "mgmt_configuration_parameter:create": RULE,
    "mgmt_configuration_parameter:delete": RULE,
    "mgmt_configuration_parameter:index": RULE,
    "mgmt_configuration_parameter:show": RULE,
    "mgmt_configuration_parameter:update": RULE,
    "mgmt_datastore_version:create": RULE,
    "mgmt_datastore_version:delete": RULE,
    "mgmt_datastore_version:edit": RULE,
    "mgmt_datastore_version:index": RULE,
    "mgmt_datastore_version:show": RULE,
    "mgmt_instance:diagnostics": RULE,
    "mgmt_instance:hwinfo": RULE,
    "mgmt_instance:rpc_ping": RULE,
    "mgmt_instance:delete": RULE,
    "mgmt_instance:index": RULE,
    "mgmt_instance:migrate": RULE,
    "mgmt_instance:reboot": RULE,
    "mgmt_instance:rebuild": RULE,
    "mgmt_instance:reset_task_status": RULE,
    "mgmt_instance:root": RULE,
    "mgmt_instance:show": RULE,
    "mgmt_instance:stop": RULE,
    "mgmt_instance:upgrade": RULE,
    "module:create": READ | {"reader": 403},
    "module:delete": WRITE,
    "module:index": READ,
    "module:instances": ONE,
    "module:reapply": WRITE,
    "module:show": ONE,
    "module:update": WRITE,
    "operation:index": READ,
    "operation:show": ONE,
    "recycled_instance:delete": WRITE,
    "recycled_instance:index": READ,
    "recycled_instance:show": ONE,
    "recycled_instance:undelete": WRITE,
    "quota:show": READ | {"stranger": 403},
    "quota:update": RULE,
}

PARAMETER = {
    "configuration-parameter": {
        "name": "max_connections",
        "restart_required": 0,
        "data_type": "integer",
    }
}

CLUSTER = {
    "name": "a",
    "datastore": {"type": "mariadb"},
    "instances": [{"flavorRef": "1", "volume": {"size": 1}}],
}

NEW_MODULE = {"name": "m", "module_type": "ping", "contents": "eA=="}

BODIES: dict[str, typing.Any] = {
    "backup:create": {"backup": {"name": "b", "incremental": 0}},
    "backup:verify": {"verify": {}},
    "backup_strategy:create": {"backup_strategy": {"swift_container": "c"}},
    "instance:backup_policy_update": {"backup_policy": {"keep_days": 3}},
    "cluster:action": {"restart": {}},
    "cluster:create": {"cluster": CLUSTER},
    "cluster:force_delete": {"reset-status": {"force_delete": 1}},
    "cluster:reset-status": {"reset-status": {}},
    "mgmt_cluster:reset_task": {"reset-task": {}},
    "configuration:create": {"configuration": {"name": "a", "values": {}}},
    "configuration:edit": {"configuration": {"values": {"wait_timeout": 60}}},
    "configuration:update": {"configuration": {"values": {"wait_timeout": 60}}},
    "mgmt_configuration_parameter:create": PARAMETER,
    "mgmt_configuration_parameter:update": PARAMETER,
    "instance:create": {
        "instance": {"name": "a", "flavorRef": "1", "volume": {"size": 1}}
    },
    "instance:update": {"instance": {"name": "b"}},
    "instance:edit": {"instance": {"name": "b"}},
    "instance:guest_log_action": {"name": "general"},
    "instance:module_apply": {"modules": [{"id": MODULE}]},
    "instance:restart": {"restart": {}},
    "instance:import": {
        "import": {"container": "c", "name": "n", "database": "another"}
    },
    "instance:export": {
        "export": {"container": "c", "name": "n", "databases": [{"name": "shop"}]}
    },
    "instance:ssl_update": {"ssl": {"disable": True}},
    "instance:resize_volume": {"resize": {"volume": {"size": 4}}},
    "instance:resize_flavor": {"resize": {"flavorRef": "2"}},
    "instance:promote_to_replica_source": {"promote_to_replica_source": {}},
    "instance:eject_replica_source": {"eject_replica_source": {}},
    "instance:reset_status": {"reset_status": {}},
    "instance:force_delete": {"reset_status": {"force_delete": 1}},
    "instance:extension:database:create": {"databases": [{"name": "new"}]},
    "instance:extension:user:create": {"users": [{"name": "eve", "password": "p"}]},
    "instance:extension:user:update": {"user": {"password": "q"}},
    "instance:extension:user:update_all": {"users": [{"name": "ann", "password": "q"}]},
    "instance:extension:user_access:update": {"databases": [{"name": "shop"}]},
    "module:create": {"module": NEW_MODULE},
    "module:update": {"module": {"name": "b"}},
    "module:reapply": {"reapply": {}},
    "recycled_instance:undelete": {"undelete": {}},
    "mgmt_datastore_version:create": {
        "version": {
            "name": "16",
            "datastore_name": "postgresql",
            "datastore_manager": "postgresql",
            "active": True,
            "image_tags": ["trove"],
        }
    },
    "mgmt_datastore_version:edit": {"active": True},
    "mgmt_instance:migrate": {"migrate": {}},
    "mgmt_instance:reboot": {"reboot": {}},
    "mgmt_instance:rebuild": {"rebuild": {"image_id": "i"}},
    "mgmt_instance:reset_task_status": {"reset-task-status": {}},
    "mgmt_instance:stop": {"stop": {}},
    "mgmt_instance:upgrade": {"upgrade": {"instance_version": "10.11"}},
    "quota:update": {"quotas": {"instances": 5}},
}


def _rules() -> list[tuple[Route, str]]:
    return [
        (route, rule) for route in TABLE.routes for rule, _ in policy.rules_of(route.op)
    ]


def test_every_route_has_a_rule_and_every_rule_is_expected() -> None:
    assert {rule for _, rule in _rules()} == set(EXPECTED)
    defaults = {rule.name for rule in policy.list_rules()}
    assert set(EXPECTED) < defaults
    assert {"context_is_admin", "admin", "admin_or_owner", "default"} < defaults


def test_the_defaults_are_documented_where_they_hold() -> None:
    for rule in policy.list_rules():
        if isinstance(rule, oslo.DocumentedRuleDefault):
            assert rule.operations
            assert rule.description


@pytest.mark.parametrize(
    "route, rule", _rules(), ids=lambda it: it if isinstance(it, str) else it.op.method
)
def test_who_may(world: World, route: Route, rule: str) -> None:
    for caller, expected in EXPECTED[rule].items():
        ids = {
            "id": world.furnished() if "instances/{id}" in route.path else "mariadb",
            "name": "shop",
            "user": "ann",
            "version": world.versions["mariadb-10.11"],
            "project": DEMO,
            "instance": "i",
            "module": MODULE,
            "copy": COPY,
        }
        if "configurations/{id}" in route.path:
            ids["id"] = world.group()
        if route.path.startswith("recycled-instances/{id}"):
            ids["id"] = world.recycled()
        if route.path.startswith("modules/{id}"):
            ids["id"] = world.module()
        if route.path.startswith("backups/{id}"):
            ids["id"] = world.backup(world.active())
        if "operations/{id}" in route.path:
            ids["id"] = world.operations(world.active())[0].id
        if "parameters/{name}" in route.path:
            ids["name"] = "max_connections"
        if route.resource.name == "flavor":
            ids["id"] = "1"
        elif route.resource.name == "version":
            ids["id"] = world.versions["mariadb-10.6"]
        path = route.path.format(**ids)
        answer = world.ask(route.op.method, path, BODIES.get(rule), caller=caller)
        got = answer.status_int if answer.status_int in (401, 403, 404) else "ok"
        assert got == expected, (caller, answer.status, answer.text)
        assert answer.status_int < 500 or answer.status_int == 501
    assert (
        world.ask(route.op.method, path, BODIES.get(rule), caller="nobody").status_int
        == 401
    )
