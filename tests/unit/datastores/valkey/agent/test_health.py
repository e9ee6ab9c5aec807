# SPDX-License-Identifier: Apache-2.0
"""How a Valkey is looked at; the living ones are in the contract."""

import pytest

from trove.datastores.pulse import Filled, Pulse
from trove.datastores.unit import Unit
from trove.datastores.valkey.agent.health import Probe, facts
from trove.datastores.valkey.agent.rights import BEAT

INFO = (
    "# Server\r\nvalkey_version:8.1.1\r\nloading:{loading}\r\nrole:{role}\r\n"
    "master_replid:abc\r\nmaster_repl_offset:7\r\naof_last_write_status:{disk}\r\n"
)


@pytest.fixture
def probe():
    return Probe("/none", lambda: "secret")


def looked(talk, probe, role="master", loading=0, replicas="0", disk="ok"):
    talk.answers["INFO"] = INFO.format(role=role, loading=loading, disk=disk)
    talk.answers["CONFIG GET"] = ["min-replicas-to-write", replicas]
    found = probe.look(talk, lambda: 1.0)
    probe.write(talk, found, lambda: 1.0)
    return found


def wrote(talk):
    return ("SET", BEAT, "abc:7") in talk.said


def test_a_source_takes_a_write_into_the_agents_database(talk, probe):
    found = looked(talk, probe)
    assert (found.state, found.role, found.version) == ("healthy", "source", "8.1.1")
    assert found.position == "abc:7"
    assert wrote(talk) and ("SELECT", 16) in talk.said


def test_one_that_refuses_all_writes_is_asked_for_none(talk, probe):
    assert looked(talk, probe, replicas="2147483647").state == "read_only"
    assert not wrote(talk)


def test_a_disk_that_took_nothing_is_told_also_where_nothing_is_asked_of_it(
    talk, probe
):
    found = looked(talk, probe, replicas="2147483647", disk="err")
    assert (found.state, "disk" in found.why) == ("read_only", True)
    assert looked(talk, probe).why == ""


def test_one_whose_memory_is_full_says_so(talk, probe, refusal):
    talk.answers["SET"] = refusal("OOM command not allowed when used memory > 'max'")
    with pytest.raises(Filled, match="maxmemory"):
        looked(talk, probe)
    talk.answers["SET"] = refusal("MISCONF Errors writing to the AOF file")
    with pytest.raises(probe.failures, match="MISCONF"):
        looked(talk, probe)


def test_a_replica_is_asked_for_none(talk, probe):
    found = looked(talk, probe, role="slave")
    assert (found.state, found.role) == ("healthy", "replica")
    assert not wrote(talk)


def test_one_that_reads_its_file_is_starting(talk, probe):
    found = looked(talk, probe, loading=1)
    assert (found.state, found.why) == ("starting", "the database reads its data")
    assert talk.said == [("INFO",)]


def test_a_full_server_is_known_by_its_words(probe, refusal):
    assert probe.crowded(refusal("ERR max number of clients reached"))
    assert not probe.crowded(refusal("WRONGPASS"))


def test_facts_are_lines_with_a_colon():
    assert facts("# A\r\nb:c:d\r\n\r\n") == {"b": "c:d"}


@pytest.mark.parametrize(
    "state, service",
    [("inactive", "stopped"), ("failed", "crashed"), ("active", "running")],
)
def test_no_answer_is_told_by_the_state_of_the_unit(host, tmp_path, state, service):
    host.state = state
    probe = Probe(str(tmp_path / "none"), lambda: "secret")
    pulse = Pulse(probe, Unit(host, "x.service", "/x", "x"))
    assert pulse.take().state == service
