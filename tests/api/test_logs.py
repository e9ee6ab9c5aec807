# SPDX-License-Identifier: Apache-2.0
"""Logs through the API, brought to a real store by the agent's own code."""

import pytest

from tests.answering import private
from tests.api.world import DEMO, World
from tests.objectstore import serving


class Logs:
    """One instance's logs, asked for as the people of its project do."""

    def __init__(self, world, store, id):
        self.world, self.store, self.id = world, store, id
        self.engine = world.desks.engines[id]

    def list(self, caller="member"):
        answer = self.ask("GET", None, caller)
        assert answer.status_int == 200, answer.text
        return {one["name"]: one for one in answer.json["logs"]}

    def act(self, name="general", caller="member", **deeds):
        return self.ask("POST", {"name": name, **deeds}, caller)

    def done(self, name="general", caller="member", **deeds):
        answer = self.act(name, caller, **deeds)
        assert answer.status_int == 200, answer.text
        return answer.json["log"]

    def ask(self, verb, body, caller="member", **about):
        headers = {
            "X-Auth-Token": f"{DEMO}/member",
            "X-Service-Catalog": self.store.catalogue(DEMO),
        }
        path = f"instances/{self.id}/log"
        return self.world.ask(verb, path, body, caller=caller, headers=headers | about)

    def write(self, text, name="general"):
        with open(self.engine.sources[name].path, "a") as file:
            file.write(text)


@pytest.fixture
def logs(world, tmp_path):
    with serving(tmp_path / "store") as store:
        yield Logs(world, store, world.active())


def test_who_sees_which_log(logs):
    assert set(logs.list("reader")) == {"general", "slow_query"}
    assert set(logs.list("admin")) == {"general", "slow_query", "error", "guest"}
    assert logs.list()["general"] == {
        "name": "general",
        "type": "USER",
        "status": "Disabled",
        "published": 0,
        "pending": 0,
        "container": "None",
        "prefix": "None",
        "metafile": "None",
    }
    assert logs.act("error").status_int == 404
    assert logs.done("error", "admin")["type"] == "SYS"
    assert logs.act("general", "reader").status_int == 403
    assert logs.act("general", "stranger").status_int == 404


def test_a_log_is_switched_on_published_and_discarded(logs):
    assert logs.done(enable=1)["status"] == "Enabled"
    assert logs.engine.switched == {"general": True}
    logs.write("select 1\nselect 2\n")
    assert logs.done()["pending"] == 18
    shown = logs.done(publish=1)
    prefix = f"{logs.id}/mariadb-general"
    assert shown["status"] == "Published"
    assert (shown["published"], shown["pending"]) == (18, 0)
    assert shown["container"] == "database_logs"
    assert shown["prefix"] == f"{prefix}/"
    assert shown["metafile"] == f"{prefix}_metafile"
    first, metafile = logs.store.names(DEMO)
    assert metafile == shown["metafile"] and first.startswith(f"{prefix}/log-")
    assert logs.store.text(DEMO, first) == "select 1\nselect 2\n"
    assert logs.done(discard=True)["container"] == "None"
    assert logs.store.names(DEMO) == []
    assert logs.done(disable=True)["status"] == "Disabled"
    assert logs.engine.switched == {"general": False}


def test_to_publish_is_to_enable(logs):
    logs.done(publish=1)
    assert logs.engine.switched == {"general": True}
    logs.done("error", "admin", publish=1)
    assert "error" not in logs.engine.switched


def test_what_cannot_be_asked(logs):
    assert logs.act(enable=1, disable=1).status_int == 400
    assert logs.act("error", "admin", enable=1).status_int == 400
    assert logs.act("nonsense").status_int == 404
    assert logs.act(publish="perhaps").status_int == 400
    assert logs.ask("POST", {"enable": 1}).status_int == 400
    assert logs.ask("POST", {"name": "general", "burn": 1}).status_int == 400


@pytest.mark.parametrize("catalogue", ["[]", "nonsense", '[{"type": "object-store"}]'])
def test_without_an_object_store_it_is_501(logs, catalogue):
    body = {"name": "general", "publish": 1}
    answer = logs.ask("POST", body, **{"X-Service-Catalog": catalogue})
    assert answer.status_int == 501
    assert "object store" in answer.text


def test_a_store_that_fails_is_told(logs):
    logs.write("a\n")
    logs.store.refusing = True
    answer = logs.act(publish=1)
    assert answer.status_int >= 500 and "503" in answer.text
    assert logs.done()["published"] == 0


def test_a_token_that_may_not_write_is_forbidden(logs):
    body = {"name": "general", "publish": 1}
    answer = logs.ask("POST", body, **{"X-Auth-Token": f"{DEMO}/reader"})
    assert answer.status_int == 403


def test_the_guest_gets_no_token_and_nobody_on_the_way_reads_the_signature(logs):
    logs.write("a\n")
    logs.done(publish=1)
    said = repr(logs.world.desks.said)
    assert "temp_url_sig" not in said and f"{DEMO}/member" not in said
    puts = [each for each in logs.store.asked if each.startswith("PUT /v1")]
    assert all(DEMO in each for each in puts)


def test_a_silent_guest_is_a_503(logs):
    logs.world.desks.silent.add(logs.id)
    assert logs.ask("GET", None).status_int in (503, 504)


def test_a_database_that_is_not_there_yet(world, logs):
    id = world.created()
    assert world.ask("GET", f"instances/{id}/log").status_int == 422


def test_what_was_done_is_an_event(logs):
    logs.done(enable=1)
    logs.done(publish=1)
    events = logs.world.ask("GET", f"instances/{logs.id}/events").json["events"]
    told = [each["details"] for each in events if each["type"] == "instance.log"]
    assert {"log": "general", "on": True, "user": f"user-of-{DEMO}"} in told
    assert any(each.get("published") for each in told)


def test_the_guest_is_told_of_the_authority_of_a_store(tmp_path):
    """One that this service knows by [cloud] cafile, and no machine trusts."""
    context, authority = private(tmp_path)
    (tmp_path / "ca.pem").write_text(authority)
    about = {"verify": str(tmp_path / "ca.pem"), "store_authorities": authority}
    world = World(tmp_path, **about)
    try:
        with serving(tmp_path / "store", context) as store:
            logs = Logs(world, store, world.active())
            logs.done(enable=1)
            logs.write("select 1\n")
            assert logs.done(publish=1)["published"] == 9
            assert len(store.names(DEMO)) == 2
    finally:
        world.close()
