# SPDX-License-Identifier: Apache-2.0
import json
import pathlib

import pytest
import yaml

from trove import errors
from trove.localcloud import identity, layout


@pytest.fixture
def place(tmp_path):
    return layout.Layout(state=tmp_path, ports=18100)


def test_passwords_are_made_once_and_only_root_reads_them(place):
    first = identity.passwords(place)
    assert set(first) == {"admin", "trove", "demo", "reader", "other"}
    assert len(set(first.values())) == 5
    assert identity.passwords(place) == first
    file = place.etc / "passwords.json"
    assert file.stat().st_mode & 0o777 == 0o600
    assert json.loads(file.read_text()) == first


def test_clouds_yaml_has_people_and_not_the_service(place):
    identity.write_clouds(place)
    assert place.clouds_yaml.stat().st_mode & 0o777 == 0o600
    clouds = yaml.safe_load(place.clouds_yaml.read_text())["clouds"]
    assert set(clouds) == {"demo", "other", "reader", "admin"}
    reader = clouds["reader"]["auth"]
    assert (reader["username"], reader["project_name"]) == ("reader", "demo")
    assert reader["auth_url"] == "http://127.0.0.1:18135/v3"


def test_no_secret_is_an_argument(place):
    argv, env = identity.command(place, pathlib.Path("/venv"))
    said = " ".join([*argv, *env.values()])
    assert not [word for word in identity.passwords(place).values() if word in said]
    # Keystone's server would make a socket beside its own files.
    assert "--no-control-socket" in argv


def test_the_catalogue_has_what_a_database_service_needs(place):
    types = identity.services(place)
    wanted = {
        "compute",
        "block-storage",
        "network",
        "image",
        "key-manager",
        "object-store",
        "database",
    }
    assert set(types) == wanted
    assert types["compute"][1] == "http://127.0.0.1:18174/compute/v2.1"


def test_a_missing_keystone_is_said_so(place, tmp_path):
    with pytest.raises(errors.Upstream, match="there is no Keystone in"):
        identity.prepare(place, tmp_path / "no-venv")
