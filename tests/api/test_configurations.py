# SPDX-License-Identifier: Apache-2.0
"""Groups of many instances, and a caller who waits for them."""

import threading
import time

import pytest

from tests.api.world import World
from trove.actions import parameters
from trove.db.tables import Configuration, Instance, Operation
from trove.model import operations
from trove.model.states import OperationState, Task


@pytest.fixture
def patient(tmp_path):
    """A world in which callers wait."""
    made = World(tmp_path, patience=20.0)
    yield made
    made.close()


def attached(world, group, count=1):
    """Instances that have the group, and nothing to do."""
    made = [world.active() for _ in range(count)]
    for id in made:
        world.change(id, configuration_id=group)
    return made


def told(world, id):
    return [o for o in world.operations(id) if o.kind == operations.CONFIGURE]


def end(world, id, state, fault=None):
    """The operation of an instance ends, as a taskmanager would end it."""
    deadline = time.monotonic() + 10
    while not told(world, id):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    with world.database.transaction() as tx:
        row = tx.get_one(Operation, told(world, id)[0].id)
        row.state, row.fault, row.lock_key = state, fault, None
        tx.get_one(Instance, id).task = Task.NONE


def test_a_change_tells_every_instance_that_has_the_group(world):
    group = world.group(wait_timeout=60)
    made = attached(world, group, 3)
    stranger = world.active()
    body = {"configuration": {"values": {"wait_timeout": 61}}}
    assert world.ask("PATCH", f"configurations/{group}", body).status_int == 200
    assert [len(told(world, id)) for id in [*made, stranger]] == [1, 1, 1, 0]
    assert set(world.rung) >= {told(world, id)[0].id for id in made}


def test_one_that_is_busy_lets_nothing_change(world):
    group = world.group(wait_timeout=60)
    made = attached(world, group, 3)
    assert world.ask("POST", f"instances/{made[1]}/action", {"restart": {}}).status_int
    body = {"configuration": {"values": {"wait_timeout": 61}}}
    answer = world.ask("PATCH", f"configurations/{group}", body)
    assert answer.status_int == 422
    assert made[1] in answer.text
    assert [len(told(world, id)) for id in made] == [0, 0, 0]
    shown = world.ask("GET", f"configurations/{group}").json["configuration"]
    assert shown["values"] == {"wait_timeout": 60}


def test_the_caller_hears_when_it_is_in_force(patient):
    group = patient.group(wait_timeout=60)
    (id,) = attached(patient, group)
    guest = threading.Thread(target=end, args=(patient, id, OperationState.DONE))
    guest.start()
    body = {"configuration": {"values": {"wait_timeout": 61}}}
    answer = patient.ask("PUT", f"configurations/{group}", body)
    guest.join()
    assert answer.status_int == 202
    assert told(patient, id)[0].state == OperationState.DONE


def test_the_caller_hears_why_it_is_not(patient):
    group = patient.group(wait_timeout=60)
    id = patient.active()
    why = "The guest could not configure: the engine refuses it"
    guest = threading.Thread(target=end, args=(patient, id, OperationState.FAILED, why))
    guest.start()
    body = {"instance": {"configuration": group}}
    answer = patient.ask("PUT", f"instances/{id}", body)
    guest.join()
    assert answer.status_int == 422
    assert answer.json["unprocessableEntity"]["message"] == why


def test_a_group_that_nobody_has_is_changed_at_once(patient):
    group = patient.group(wait_timeout=60)
    begun = time.monotonic()
    body = {"configuration": {"values": {"wait_timeout": 61}}}
    assert patient.ask("PUT", f"configurations/{group}", body).status_int == 202
    assert time.monotonic() - begun < 10


def test_a_page_of_groups_and_the_next(world):
    made = {world.group() for _ in range(5)}
    seen = set()
    path = "configurations?limit=2"
    for size in (2, 2, 1):
        answer = world.ask("GET", path).json
        page = [group["id"] for group in answer["configurations"]]
        assert len(page) == size
        seen |= set(page)
        links = answer.get("links", [])
        path = f"configurations?limit=2&marker={max(page)}"
        assert bool(links) == (size == 2)
    assert seen == made


def test_what_may_be_a_secret_is_not_shown(world):
    group = world.group(wait_timeout=60)
    with world.database.transaction() as tx:
        tx.get_one(Configuration, group).settings = {"some_password": "x"}
    shown = world.ask("GET", f"configurations/{group}").json["configuration"]
    assert shown["values"] == {"some_password": "***"}


def test_the_default_rules_are_the_plug_ins(world):
    answer = world.ask("GET", "datastores/mariadb/versions/10.11/parameters")
    found = answer.json["configuration-parameters"]
    names = [parameter["name"] for parameter in found]
    assert names == sorted(names)
    assert len(names) > 30
    assert all(isinstance(each["restart_required"], bool) for each in found)
    assert {each["type"] for each in found} == {"integer", "string", "boolean", "float"}


LOADED = {
    "innodb_old_blocks_time": {
        "type": "integer",
        "restart_required": False,
        "min": 0,
        "max": 900,
    },
    "join_buffer_size": {
        "type": "integer",
        "restart_required": False,
        "min": 128,
        "max": 2**32,
        "unit": "B",
    },
    "use_stat_tables": {
        "type": "string",
        "restart_required": False,
        "values": ["NEVER", "PREFERABLY"],
    },
    "innodb_autoinc_lock_mode": {
        "type": "integer",
        "restart_required": True,
        "min": 0,
        "max": 2,
    },
}
"""What an engine said of itself, in part."""


@pytest.fixture
def loaded(world):
    """The world, whose MariaDB has these rules, and an administrator of it."""
    version = world.versions["mariadb-10.11"]
    with world.database.transaction() as tx:
        assert parameters.load(tx, version, LOADED) == len(LOADED)
    path = f"mgmt/datastores/versions/{version}/parameters"

    def admin(method, one="", **rule):
        body = {"configuration-parameter": rule} if rule else None
        asked = f"{path}/{one}" if one else path
        return world.ask(method, asked, body, caller="admin")

    world.admin = admin
    return world


def test_what_was_loaded_is_what_users_can_set(loaded):
    world = loaded
    answer = world.ask("GET", "datastores/mariadb/versions/10.11/parameters")
    found = {each.pop("name"): each for each in answer.json["configuration-parameters"]}
    assert list(found) == sorted(LOADED)
    assert found["join_buffer_size"]["unit"] == "B"
    assert found["use_stat_tables"]["values"] == ["NEVER", "PREFERABLY"]
    assert "loaded" not in found["join_buffer_size"]
    path = "datastores/mariadb/versions/10.11/parameters"
    seen = world.ask("GET", path, xml=True).text
    assert "<values><value>NEVER</value><value>PREFERABLY</value></values>" in seen
    assert 'unit="B"' in seen
    right = {"innodb_old_blocks_time": 900, "use_stat_tables": "never"}
    group = world.group(**right)
    for name, value, says in (
        ("innodb_old_blocks_time", 901, "above 900"),
        ("use_stat_tables", "ALWAYS", "not one of: NEVER, PREFERABLY"),
        ("wait_timeout", 60, "no parameter"),
    ):
        body = {"configuration": {"values": {name: value}}}
        answer = world.ask("PATCH", f"configurations/{group}", body)
        assert answer.status_int == 422
        assert says in answer.json["unprocessableEntity"]["message"]


def test_what_was_loaded_is_narrowed_and_never_widened(loaded):
    world, name = loaded, "innodb_old_blocks_time"
    rule = {"name": name, "restart_required": 0, "data_type": "integer"}
    assert world.admin("PUT", name, **rule, max_size=800).json["max_size"] == 800
    assert world.admin("PUT", name, **rule, max_size=850).json["max_size"] == 850
    refused = world.admin("PUT", name, **rule, max_size=901)
    assert refused.status_int == 400 and "from 0 to 900" in refused.text
    assert world.admin("GET", name).json["max_size"] == 850


def test_what_was_taken_out_comes_back_as_it_was_loaded(loaded):
    world, name = loaded, "innodb_old_blocks_time"
    rule = {"name": name, "restart_required": 0, "data_type": "integer"}
    assert world.admin("DELETE", name).status_int == 204
    assert world.admin("GET", name).status_int == 404
    assert world.admin("DELETE", name).status_int == 404
    assert world.admin("PUT", name, **rule).status_int == 404
    listed = world.admin("GET").json["configuration-parameters"]
    assert name not in [each["name"] for each in listed]
    assert world.admin("POST", **rule, max_size=901).status_int == 400
    assert world.admin("POST", **rule).json["max_size"] == 900
    assert world.admin("POST", **rule).status_int == 400, "it is there"
    unknown = {**rule, "name": "wait_timeout"}
    refused = world.admin("POST", **unknown)
    assert refused.status_int == 400, "this engine did not say it"
    other = {**rule, "data_type": "string"}
    assert world.admin("PUT", name, **other).status_int == 400
    version = world.versions["mariadb-10.11"]
    with world.database.transaction() as tx:
        assert parameters.reset(tx, version, "mariadb") == len(LOADED)
        assert parameters.declare(tx, version, "mariadb") > 30
        assert parameters.reset(tx, version, "mariadb") > 30, "nothing is loaded now"


def test_a_dry_run_knows_what_would_wait_by_the_loaded_rules(loaded):
    world = loaded
    group = world.group(innodb_autoinc_lock_mode=2, innodb_old_blocks_time=1)
    instance = world.active()
    body = {"instance": {"configuration": group}}
    answer = world.ask("PUT", f"instances/{instance}?dry_run=true", body)
    [operation] = answer.json["dry_run"]["operations"]
    assert operation["restart_required"] == ["innodb_autoinc_lock_mode"]
