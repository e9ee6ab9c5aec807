# SPDX-License-Identifier: Apache-2.0
"""Any legal name and password works, exactly as it was written (S5)."""

import pytest

from tests.system.deployment import VERSIONS, ask

pytestmark = [pytest.mark.root, pytest.mark.localcloud]

AWKWARD = (
    "o'brien",
    'the "quoted" one',
    "back\\slash",
    "per%cent",
    "in between",
    "Zoë-Ωμέγα",
    "semi;colon--",
    "$(id)`id`",
)
PASSWORDS = (
    "p'a\"s\\s%w o;r d",
    "'; DROP USER ada; --",
    "пароль-密码",
    "%s%d%(x)s",
    " leading and trailing ",
    "\\",
    "`$(reboot)`",
    "a" * 200,
)


@pytest.mark.parametrize("datastore", VERSIONS)
def test_names_and_passwords_are_taken_literally(deployment, demo, datastore):
    users = [
        {"name": name, "password": password, "databases": [{"name": name}]}
        for name, password in zip(AWKWARD, PASSWORDS, strict=True)
    ]
    id = demo.create(datastore, f"awkward-{datastore}", users, AWKWARD)
    shown = demo.wait(id)
    for name, password in zip(AWKWARD, PASSWORDS, strict=True):
        with demo.connect(shown, name, password, name) as connection:
            who = {"mariadb": "user()", "postgresql": "current_user"}[datastore]
            said = ask(connection, f"SELECT {who}")[0][0]
            assert said == name or said.rpartition("@")[0] == name
            ask(connection, "CREATE TABLE t (n INT)")
    demo.delete(id)
    demo.gone(id)


@pytest.mark.parametrize("datastore", VERSIONS)
@pytest.mark.parametrize(
    "bad",
    [
        {"name": "", "password": "p"},
        {"name": "nul\x00", "password": "p"},
        {"name": "x" * 200, "password": "p"},
        {"name": "root", "password": "p"},
        {"name": "ok", "password": ""},
        {"name": "ok"},
        {"name": "ok", "password": "p", "databases": [{"name": "not-there"}]},
    ],
)
def test_what_no_engine_could_store_is_refused_at_once(
    deployment, demo, datastore, bad
):
    if datastore == "postgresql" and bad["name"] == "root":
        bad = {"name": "postgres", "password": "p"}
    order = {
        "name": "never",
        "flavorRef": 1,
        "volume": {"size": 1},
        "datastore": {"type": datastore, "version": VERSIONS[datastore]},
        "databases": [{"name": "shop"}],
        "users": [bad],
    }
    answer = demo.ask("POST", "/instances", {"instance": order})
    assert answer.status_code == 400, answer.text
    assert "badRequest" in answer.json()
