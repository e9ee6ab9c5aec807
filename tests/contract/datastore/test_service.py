# SPDX-License-Identifier: Apache-2.0
"""An engine starts, stops, is sized and configured, and its health tells the truth."""

import contextlib
import importlib
import os
import signal
import threading
import time

import pytest

from trove import errors
from trove.datastores import registry
from trove.datastores.protocol import Sizing
from trove.datastores.spec import Entrance

MIB = 1024 * 1024


@pytest.fixture
def running(lab):
    """The lab, and afterwards a running engine with its first configuration again."""
    yield lab
    lab.engine.stop()
    lab.configure()
    lab.engine.start()


def timed(lab):
    began = time.monotonic()
    health = lab.engine.health()
    assert time.monotonic() - began < 3.2
    return health


def test_a_serving_engine_is_healthy(lab):
    for _ in range(3):
        health = timed(lab)
        assert (health.state, health.why) == ("healthy", "")
        assert health.role == "source"
        assert health.version.startswith(f"{lab.version}.")


def test_the_first_steps_of_a_user_lead_in(lab):
    lab.account("first", "first password", "firstdb")
    who = {"address": "127.0.0.1", "user": "first", "authority": lab.tls.ca}
    steps = importlib.import_module(registry.get(lab.name).firststeps)
    there = Entrance(
        **who, port=lab.port, password="first password", database="firstdb"
    )
    said, cipher = steps.enter(there)
    assert f" {lab.version}." in said and cipher
    assert "127.0.0.1" in steps.CLIENT.format(**who, database="firstdb")


def test_a_position_moves_with_writes_and_not_with_looks(lab):
    lab.account("mover", "mover password", "moverdb")
    first = timed(lab).position
    with lab.client.login("mover", "mover password", "moverdb") as run:
        lab.client.make(run, "moved")
        lab.client.put(run, "moved", 1)
    second = timed(lab).position
    assert second
    assert first != second


def test_a_stopped_engine_is_stopped_and_comes_back_with_its_data(running):
    lab = running
    lab.account("keeper", "keeper password", "keeperdb")
    with lab.client.login("keeper", "keeper password", "keeperdb") as run:
        lab.client.make(run, "kept")
        lab.client.put(run, "kept", 42)
    lab.engine.stop()
    assert timed(lab).state == "stopped"
    lab.engine.stop()
    assert timed(lab).state == "stopped"
    lab.engine.start()
    lab.engine.start()
    assert timed(lab).state == "healthy"
    lab.engine.restart()
    assert timed(lab).state == "healthy"
    with lab.client.login("keeper", "keeper password", "keeperdb") as run:
        assert lab.client.numbers(run, "kept") == [42]


def test_a_killed_engine_crashed(running):
    lab = running
    assert timed(lab).state == "healthy"
    os.kill(lab.process(), signal.SIGKILL)
    lab.machine.processes[lab.client.unit].wait()
    found = timed(lab)
    assert (found.state, "signal" in found.why) == ("crashed", True)


def test_a_frozen_engine_is_unhealthy_in_three_seconds(lab):
    for looked_before in (True, False):
        if looked_before:
            assert timed(lab).state == "healthy"
        os.kill(lab.process(), signal.SIGSTOP)
        try:
            for _ in range(2):
                health = timed(lab)
                assert health.state == "running"
                assert "answer" in health.why
        finally:
            os.kill(lab.process(), signal.SIGCONT)
    assert timed(lab).state == "healthy"


def test_an_engine_that_is_slow_for_some_seconds_does_what_it_is_asked(lab):
    """It is asked while it is frozen, for longer than a look would wait."""
    os.kill(lab.process(), signal.SIGSTOP)
    thaw = threading.Timer(4, os.kill, (lab.process(), signal.SIGCONT))
    thaw.start()
    try:
        if any(log.name == "general" for log in registry.get(lab.name).logs):
            lab.engine.set_log("general", True)
            lab.engine.set_log("general", False)
        if lab.can.databases:
            assert "mysql" not in lab.engine.accounts.databases(100, None)
        assert lab.engine.accounts.user(lab.client.superuser) is None
    finally:
        thaw.cancel()
        os.kill(lab.process(), signal.SIGCONT)


def test_no_free_connection_is_not_down(running):
    lab = running
    lab.configure(**{lab.client.connections: 20})
    lab.engine.restart()
    lab.account("crowd", "crowd password", "crowddb")
    if not lab.client.spare:  # whoever came before the crowd keeps what he has
        assert timed(lab).state == "healthy"
    with contextlib.ExitStack() as stack:
        with pytest.raises(lab.refused):
            for _ in range(30):
                stack.enter_context(
                    lab.client.login("crowd", "crowd password", "crowddb")
                )
        for _ in range(2):
            health = timed(lab)
            assert health.state == "healthy", health


def test_read_only_is_seen_refuses_tenants_outlives_a_restart_and_ends(running):
    lab = running
    lab.account("writer", "writer password", "writerdb")
    for _ in range(2):
        lab.engine.set_read_only(True)
    assert timed(lab).state == "read_only"
    lab.engine.restart()
    assert timed(lab).state == "read_only"
    with lab.client.login("writer", "writer password", "writerdb") as run:
        with pytest.raises(lab.refused):
            lab.client.make(run, "no")
        for _ in range(2):
            lab.engine.set_read_only(False)
    assert timed(lab).state == "healthy"
    with lab.client.login("writer", "writer password", "writerdb") as run:
        lab.client.make(run, "yes")


def test_read_only_ends_a_write_that_is_under_way(lab):
    lab.account("slow", "slow password", "slowdb")
    with lab.client.login("slow", "slow password", "slowdb") as run:
        lab.client.make(run, "t")
        run(lab.client.begin)
        lab.client.put(run, "t", 1)
        lab.engine.set_read_only(True)
        with pytest.raises(lab.refused):
            lab.client.put(run, "t", 2)
            run(lab.client.commit)
    lab.engine.set_read_only(False)
    with lab.client.login("slow", "slow password", "slowdb") as run:
        assert lab.client.numbers(run, "t") == []


def test_read_only_comes_though_a_tenant_holds_locks(lab):
    lab.account("holder", "holder password", "holderdb")
    with lab.client.login("holder", "holder password", "holderdb") as run:
        lab.client.make(run, "t")
        for statement in lab.client.lock:
            run(statement)
        lab.engine.set_read_only(True)
        assert timed(lab).state == "read_only"
        with pytest.raises(lab.refused):
            lab.client.put(run, "t", 1)
    lab.engine.set_read_only(False)
    assert timed(lab).state == "healthy"


def test_bounds_for_tenants_do_not_bind_the_agent(running):
    lab = running
    lab.configure(**lab.client.timeouts)
    lab.engine.restart()
    for _ in range(2):
        assert timed(lab).state == "healthy"
        time.sleep(1.2)
    lab.account("bound", "bound password", "bounddb")
    lab.engine.set_read_only(True)
    lab.engine.set_read_only(False)


def test_names_are_quoted_whatever_dialect_a_group_chose(running):
    lab = running
    lab.configure(**lab.client.dialect)
    lab.engine.restart()
    for name in ("a\\'b\"c", "\xbf\\'c", "`\\\"''", "\u8a93\\"):
        lab.account(name, name, name)
        assert name in lab.client.users()
        assert lab.has(name)
        with lab.client.login(name, name, name):
            pass
    assert timed(lab).state == "healthy"


def test_to_initialise_again_changes_nothing(lab):
    before = lab.client.users(), lab.client.databases(), lab.process()
    lab.engine.initialise(Sizing(512, 1), lab.tls)
    lab.configure()
    assert (lab.client.users(), lab.client.databases(), lab.process()) == before
    assert timed(lab).state == "healthy"


def test_data_that_an_older_version_made_are_taken_over(lab):
    """What the engine notes of who made its data says so, once and for all."""
    lab.account("older", "older", "older")
    before = lab.client.users(), lab.client.databases()
    if lab.client.ages:
        lab.client.made_by_an_older_one()
        assert lab.client.is_older()
    for _ in range(2):
        lab.engine.upgrade()
        assert not (lab.client.ages and lab.client.is_older())
    assert (lab.client.users(), lab.client.databases()) == before
    with lab.client.login("older", "older", "older"):
        pass
    assert timed(lab).state == "healthy"


def test_memory_follows_the_flavor(running):
    lab = running
    ((small,),) = lab.client.admin(lab.client.memory)
    assert 32 * MIB <= int(small) <= 256 * MIB
    lab.engine.configure(Sizing(memory=1024, vcpus=2), lab.tls, {}, 7)
    lab.engine.restart()
    ((large,),) = lab.client.admin(lab.client.memory)
    assert int(small) < int(large) <= 700 * MIB


def test_a_group_is_applied_over_the_flavor(running):
    lab = running
    name = lab.client.connections
    lab.configure(**{name: 77, name.upper(): 78})
    lab.engine.restart()
    setting = lab.client.setting.format(name)
    ((shown, *_),) = lab.client.admin(setting)
    assert int(shown) == 78


def test_the_engine_knows_every_parameter_at_both_ends(lab):
    words = {name for name, rule in lab.rules.items() if "pattern" in rule}
    assert words == set(lab.client.words)
    for end in ("min", "max"):
        group = {name: lab.end(name, end) for name in lab.rules}
        if end == "max":
            group = {k: v for k, v in group.items() if k not in lab.client.huge}
        lab.configure(**group)
    lab.configure()


@pytest.mark.parametrize(
    "group",
    [
        {"max_connections": 0},
        {"max_connections": "100"},
        {"max_connections": True},
        {"max_connections": 100.5},
        {"nonsense": 1},
        {"max_connections\nplugin_load": 1},
        {"ssl": False},
        {"require_secure_transport": False},
        {"local_infile": True},
        {"init_connect": "x"},
        {"archive_command": "x"},
        {"shared_preload_libraries": "x"},
        {"sql_mode": "ANSI\nplugin_load=x"},
        {"timezone": "UTC'\nssl = off"},
        {"timezone": "No/Such"},
        {"collation_server": "no_such_collation"},
        {"innodb_buffer_pool_size": 1 << 40},
        {"shared_buffers": 1 << 29},
        {"log_statement": "everything"},
        {"maxclients": 0},
        {"maxmemory": 1 << 45},
        {"maxmemory-policy": "forget"},
        {"notify-keyspace-events": "K\nloadmodule /x.so"},
        {"loadmodule": "/x.so"},
        {"dir": "/tmp"},
        {"long_query_time": float("nan")},
        {"random_page_cost": float("inf")},
    ],
    ids=ascii,
)
def test_a_bad_group_is_refused_and_nothing_is_written(lab, group):
    settings = lab.machine.root / "etc"
    unstaged = lambda: {  # noqa: E731
        path: path.read_bytes()
        for path in settings.rglob("*")
        if path.is_file() and "staged" not in path.name
    }
    before = unstaged()
    with pytest.raises(errors.Invalid):
        lab.configure(**group)
    assert unstaged() == before


def test_an_engine_that_cannot_start_says_why_in_its_own_words(running):
    lab = running
    lab.engine.stop()
    key = next(lab.machine.root.glob("etc/**/server.pem"))
    key.write_text("no key")
    with pytest.raises(errors.EngineFailed) as failed:
        lab.engine.start()
    assert "server.pem" in str(failed.value) or "SSL" in str(failed.value)
    assert timed(lab).state in ("crashed", "stopped")
