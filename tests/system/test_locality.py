# SPDX-License-Identifier: Apache-2.0
"""Servers that are kept together, or apart: as the cloud itself tells of them.

That a second member of a group finds no host is not to be seen here: it is a replica of
the first one, and the host of this cloud is alone.
"""

import contextlib

import pytest

from tests.system.deployment import VERSIONS

pytestmark = [pytest.mark.root, pytest.mark.localcloud]


@pytest.fixture(name="nova")
def nova_of_the_service(deployment):
    """python-novaclient, as the owner of the servers."""
    with contextlib.closing(deployment.cloud()) as cloud:
        with cloud.access.using("a look") as clients:
            yield clients.nova


@pytest.mark.parametrize(
    "datastore, policy",
    list(zip(VERSIONS, ("affinity", "anti-affinity"), strict=True)),
)
def test_a_server_is_in_a_group_of_its_policy(
    deployment, demo, nova, datastore, policy
):
    before = {group.id for group in nova.server_groups.list()}
    body = {
        "name": f"near-{datastore}",
        "flavorRef": 1,
        "volume": {"size": 1},
        "datastore": {"type": datastore, "version": VERSIONS[datastore]},
        "locality": policy,
    }
    made = demo.ask("POST", "/instances", {"instance": body}).json()["instance"]
    id = made["id"]
    assert made["locality"] == policy
    assert demo.wait(id)["locality"] == policy
    rows = demo.ask("GET", "/instances").json()["instances"]
    assert all("locality" not in row for row in rows)

    ((server,),) = deployment.rows("SELECT server_id FROM instances WHERE id = ?", id)
    told = [group.to_dict() for group in nova.server_groups.list()]
    (group,) = (one for one in told if one["id"] not in before)
    assert group["members"] == [server]
    assert group.get("policy", *group.get("policies", ())) == policy
    assert deployment.violations() == []

    demo.delete(id)
    demo.gone(id)
    assert {one.id for one in nova.server_groups.list()} == before
    assert deployment.violations() == []
