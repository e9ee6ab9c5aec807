# SPDX-License-Identifier: Apache-2.0
"""A deployment for each worker: made by the quickstart, purged at the end."""

import os
import pathlib
import typing

import pytest

from tests import slots
from tests.covered import recorder, table
from tests.system.attacks import guests
from tests.system.deployment import WITNESSES, Deployment, Traces, User, until
from trove.localcloud.layout import Layout

# bin/run-tests --long makes the environment that it needs.
collect_ignore = [] if "TROVE_TEMPEST_VENV" in os.environ else ["test_tempest.py"]


def pytest_ignore_collect(
    collection_path: pathlib.Path, config: pytest.Config
) -> bool | None:
    """What only datastores have that a deployment does not begin with."""
    alone = collection_path.name == "test_stores.py"
    return True if alone and not config.getoption("all_datastores") else None


CACHE = os.environ.get("TROVE_CACHE", "/var/lib/trove/cache")
STATE = os.environ.get("TROVE_TEST_STATE", "/var/lib/trove/tests")


def _layout() -> Layout:
    """Each worker's own: several deployments stand side by side."""
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    if worker >= slots.WORKERS:
        raise pytest.UsageError(f"there is room for {slots.WORKERS} workers")
    number = slots.WORKERS * slots.slot() + worker
    return Layout(
        state=pathlib.Path(STATE) / f"system{number}",
        cache=pathlib.Path(CACHE),
        tag=f"ts{number}",
        cidr=f"10.83.{number}.0/24",
        ports=17700 + 100 * number,
    )


@pytest.fixture(scope="package")
def deployment() -> typing.Iterator[Deployment]:
    """Up for this folder. At the end ``--purge`` must leave no trace of it."""
    place = _layout()
    traces = Traces(place)
    made = Deployment(place)
    made.quickstart("--purge")  # of a run that was killed
    before = traces()
    try:
        made.first_start = made.quickstart()
        _room_for(made, 40)
        WITNESSES.append(made.unfinished)
        yield made
        assert made.audit() == []  # as an operator asks, when all is over
    finally:
        WITNESSES.clear()
        made.quickstart("--purge")
    left = {kind: {*found} - {*before[kind]} for kind, found in traces().items()}
    assert not any(left.values()), f"INV-16: --purge left {left}"


def _room_for(deployment: Deployment, instances: int) -> None:
    """An administrator raises the project's quota, as one would for a crowd."""
    demo = User(deployment, "demo")
    project = demo.api.get_project_id()
    answer = User(deployment, "admin").ask(
        "PUT",
        f"/mgmt/quotas/{project}",
        {"quotas": {"instances": instances, "volumes": instances}},
    )
    assert answer.status_code == 200, answer.text


@pytest.fixture(scope="package")
def demo(deployment: Deployment) -> User:
    return User(deployment, "demo")


@pytest.fixture(scope="package")
def admin(deployment: Deployment) -> User:
    return User(deployment, "admin")


@pytest.fixture(scope="package")
def other(deployment: Deployment) -> User:
    return User(deployment, "other")


@pytest.fixture(scope="package")
def pair(deployment: Deployment, demo: User) -> typing.Iterator[guests.Pair]:
    """A guest that was taken over, and the one that it is after."""
    made = guests.make(deployment, demo)
    yield made
    made.close()


@pytest.fixture(autouse=True)
def covering(request: pytest.FixtureRequest) -> typing.Iterator[None]:
    """What clients in this process ask of the deployment is heard; what the table of
    routes says of a test is done."""
    if "deployment" not in request.fixturenames:
        yield
        return
    recorder.take()
    with recorder.listening():
        yield
    heard = recorder.take()
    table.record(request.node.nodeid, heard)
    assert table.missed(request.node.nodeid, heard, table.kept()) == []


@pytest.fixture(autouse=True)
def audited(request: pytest.FixtureRequest) -> typing.Iterator[None]:
    """After each test of the deployment, its invariants hold (INV-1..7, 16)."""
    yield
    if "deployment" in request.fixturenames:
        deployment = request.getfixturevalue("deployment")
        until("every process is up", deployment.all_up)
        assert deployment.violations() == []
