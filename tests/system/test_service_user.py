# SPDX-License-Identifier: Apache-2.0
"""What the control plane's own user may do in Keystone, and what it may not (S24)."""

import json

import pytest
import yaml
from keystoneauth1 import exceptions, identity, session

pytestmark = [pytest.mark.root, pytest.mark.localcloud]


@pytest.fixture
def ask(deployment):
    """A session of somebody, by what clouds.yaml or the service's files know."""
    place = deployment.place
    clouds = yaml.safe_load(place.clouds_yaml.read_text())["clouds"]
    known = json.loads((place.etc / "passwords.json").read_text())
    made = []

    def of(name):
        about = clouds.get(name, {}).get("auth") or {
            **clouds["admin"]["auth"],
            "username": name,
            "password": known[name],
            "project_name": "service",
        }
        one = session.Session(identity.V3Password(**about))
        made.append(one)
        return one

    yield of
    for one in made:
        one.session.close()


IDENTITY = {"service_type": "identity", "interface": "public"}


def test_the_service_is_no_administrator(ask):
    """S24: the roles that it needs, in its own project; it can give itself no other."""
    admin, trove = ask("admin"), ask("trove")
    me = trove.auth.get_access(trove)
    assert set(me.role_names) == {"service", "member", "reader"}  # member reads
    assert me.project_name == "service"
    users = f"/role_assignments?user.id={me.user_id}&effective"
    held = admin.get(users, endpoint_filter=IDENTITY).json()["role_assignments"]
    assert {one["scope"]["project"]["id"] for one in held} == {me.project_id}
    roles = admin.get("/roles?name=admin", endpoint_filter=IDENTITY).json()["roles"]
    itself = f"/projects/{me.project_id}/users/{me.user_id}/roles/{roles[0]['id']}"
    for verb, path in (
        ("PUT", itself),
        ("GET", "/users"),
        ("GET", "/projects"),
        ("GET", "/role_assignments"),
    ):
        with pytest.raises(exceptions.Forbidden):
            trove.request(path, verb, endpoint_filter=IDENTITY)


def test_nothing_acts_in_a_users_name(ask, demo):
    """S24: after a user's requests there is no trust and no credential of theirs."""
    admin, user = ask("admin"), ask("demo")
    assert demo.ask("GET", "/instances").status_code == 200
    who = user.auth.get_access(user).user_id
    trusts = admin.get("/OS-TRUST/trusts", endpoint_filter=IDENTITY).json()
    assert trusts["trusts"] == []
    path = f"/users/{who}/application_credentials"
    there = user.get(path, endpoint_filter=IDENTITY).json()
    assert there["application_credentials"] == []
