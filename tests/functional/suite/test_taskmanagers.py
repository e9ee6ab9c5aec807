# SPDX-License-Identifier: Apache-2.0
"""Taskmanagers: they share the work, stand in for each other, and wait in no thread."""

import threading

from tests.functional.suite.client import until
from tests.functional.suite.deployment import WORKERS
from trove.model import naming


def allow(deployment, client, instances: int) -> None:
    """An operator's word on the project's quota."""
    admin = deployment.client("operators", "admin")
    quotas = {"instances": instances, "volumes": -1, "ram": -1}
    path = f"mgmt/quotas/{client.project}"
    assert admin.ask("PUT", path, {"quotas": quotas}).status == 200


def carriers() -> int:
    """Threads that carry operations, of all taskmanagers here."""
    names = [thread.name for thread in threading.enumerate()]
    return sum(name.startswith("operation") for name in names)


def test_two_of_them_build_twenty_at_once(deployment, client):
    allow(deployment, client, 20)
    made: list[str] = []
    threads = [
        threading.Thread(target=lambda n=n: made.append(client.create(f"db{n}")))
        for n in range(20)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert len(set(made)) == 20
    client.ready(*made, within=90)
    for id in made:
        kinds = [kind for kind, _ in deployment.things(id)]
        assert kinds == ["group", "port", "server", "user", "volume"]
    assert client.usage()["instances"] == (20, 0)
    client.delete(*made, within=90)
    assert set(client.usage().values()) == {(0, 0)}


def test_fifty_that_wait_hold_no_thread(deployment, client):
    """A waiting operation is a row: another instance is built meanwhile, at once."""
    allow(deployment, client, 51)
    waiting = [client.create(f"dark{n}") for n in range(50)]
    until(lambda: set(waiting) <= set(deployment.fleet.asleep), 90)
    assert carriers() <= WORKERS * len(deployment.taskmanagers)
    threads = threading.active_count()
    quick = client.create("quick")
    client.ready(quick, within=20)
    states = client.states()
    assert {states[id] for id in waiting} == {("BUILD", "")}
    # the one more guest, and the connections that were just served
    assert threading.active_count() <= threads + 20
    assert client.usage()["instances"] == (1, 50)
    client.delete(quick, *waiting, within=120)
    assert set(client.usage().values()) == {(0, 0)}


def test_all_stop_and_another_takes_over(deployment, client):
    made = client.create("dark")
    until(lambda: made in deployment.fleet.asleep)
    for process in deployment.taskmanagers:
        assert process.stop()
    deployment.taskmanagers = []
    waiting = client.create("later")  # accepted, with nobody to carry it
    assert client.state(waiting) == ("BUILD", "")
    deployment.taskmanagers = [deployment.taskmanager(), deployment.taskmanager()]
    deployment.fleet.wake(made)
    client.ready(made, waiting)
    client.delete(made, waiting)


def test_one_that_hangs_in_a_call_is_replaced(deployment, client):
    """Its lease ends, the other carries on; its late deed makes no second server."""
    held, go_on = threading.Event(), threading.Event()

    def hang(name, said):
        if name == "compute.boot" and said["order"].name == "held":
            if not held.is_set():
                held.set()
                go_on.wait(60)

    with deployment.before(hang):
        made = client.create("held")
        until(held.is_set)
        client.ready(made, within=60)
        go_on.set()
        after = client.create("after")  # whoever hung works again
        client.ready(after)
    servers = [k for kind, k in deployment.things(made) if kind == "server"]
    assert servers == [naming.key(made, "server")]
    assert client.state(made) == ("ACTIVE", "HEALTHY")
    client.delete(made, after)
    assert deployment.things(made) == []
