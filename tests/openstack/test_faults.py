# SPDX-License-Identifier: Apache-2.0
"""A real OpenStack on a bad day: what it made is found, and what it ended is gone.

A taskmanager reaches it through a proxy that carries a request out and loses the
answer, or says 503, or is late. In its servers nothing runs: a create waits for its
guest when all that a cloud makes is there.
"""

import collections
import contextlib
import os

import pytest

from tests.openstack.stand import BARE, TASKMANAGERS, until
from tests.system.deployment import User
from tests.system.faults.proxy import AFTERWARDS, Proxy
from trove.cloud.openstack import OpenstackCloud
from trove.model import naming

pytestmark = pytest.mark.openstack

PATIENCE = 600.0
SMALL = os.environ.get("TROVE_TEST_FLAVORS", "small,large").split(",")[0]

MADE = ("/security-groups", "/ports", "/floatingips", "/volumes ", "/servers ")
ENDED = ("/servers/", "/floatingips/", "/ports/", "/security-groups/", "/volumes/")


@pytest.fixture
def proxy(stand):
    """Between the cloud and the one taskmanager that there is meanwhile."""
    made = Proxy()
    first, second = TASKMANAGERS
    for name in (first, second):
        stand.kill(name)
    stand.run(first, http_proxy=made.url, no_proxy="")
    try:
        yield made
    finally:
        stand.kill(first)
        made.close()
        for name in (first, second):
            stand.run(name)


@pytest.fixture
def user(stand):
    return User(stand, "demo")


def owned(stand, instance):
    """How many things of each kind the cloud has of it."""
    with contextlib.closing(OpenstackCloud(stand.cloud)) as cloud:
        found = {
            "server": cloud.compute.owned(),
            "volume": cloud.volumes.owned(),
            "port": cloud.network.owned_ports(),
            "group": cloud.network.owned_groups(),
            "floating address": cloud.network.owned_floating_ips(),
        }
    return collections.Counter(
        kind
        for kind, things in found.items()
        for thing in things
        if naming.owner(thing.key) == instance
    )


def unmet(proxy):
    return [f"{fault.method} {fault.where.pattern}" for fault in proxy.clear()]


@pytest.mark.parametrize("fault", AFTERWARDS)
def test_all_is_made_once_and_all_of_it_ends(stand, user, proxy, fault):
    """INV-2, INV-4, T10: each deed of a create and of a delete meets the fault."""
    for where in MADE:
        proxy.on("POST", where, fault)
    body = {
        "name": f"bad-{BARE}",
        "flavorRef": flavor(user),
        "volume": {"size": 1},
        "datastore": {"type": "mariadb", "version": BARE},
        "nics": [{"net-id": stand.network}],
        "access": {"is_public": True},
    }
    answer = user.ask("POST", "/instances", {"instance": body})
    assert answer.status_code == 200, answer.text
    id = answer.json()["instance"]["id"]
    until("all is made", lambda: waits(stand, id), PATIENCE)
    assert unmet(proxy) == []
    once = dict.fromkeys(("server", "volume", "group", "floating address"), 1)
    assert owned(stand, id) == {**once, "port": 2}
    for where in ENDED:
        proxy.on("DELETE", where, fault)
    assert user.ask("DELETE", f"/instances/{id}").status_code == 202
    until("it is gone", lambda: user.show(id) is None, PATIENCE)
    assert unmet(proxy) == []
    assert owned(stand, id) == {}


def flavor(user):
    """The id of the smaller one."""
    found = user.ask("GET", "/flavors").json()["flavors"]
    return next(each["str_id"] for each in found if each["name"] == SMALL)


def waits(stand, id):
    """Whether its create has come to where it waits for a guest."""
    sql = (
        "SELECT 1 FROM operations o JOIN operation_steps s ON s.operation_id = o.id "
        "WHERE o.object_id = %(id)s AND s.name = 'wait_for_guest'"
    )
    return stand.rows(sql, id=id)
