# SPDX-License-Identifier: Apache-2.0
"""A real guest is taken over, and tries everything that the broker must refuse it.

The attacks are those of ``tests/contract/rpc/test_attacks.py``, run in the guest as
root, with the agent's own credential, from where the agent keeps it.
"""

import pytest

from tests.system.attacks import broker
from tests.system.deployment import ask, until

pytestmark = [pytest.mark.root, pytest.mark.localcloud]


@pytest.fixture(scope="module", name="before")
def what_the_victim_was(pair):
    return {
        "agent": _agent(pair, pair.victim),
        "jobs": _jobs(pair, pair.victim),
        "report": pair.report(pair.victim),
    }


@pytest.fixture(scope="module", name="attacks")
def run_in_the_guest(pair, before):
    """All of them, once; and the guest's own agent goes on beside them."""
    boot, _, _ = pair.report(pair.attacker)
    orders = {"them": pair.victim, "boot": boot, "seq": 10**9}
    lines = pair.lines("broker.py", orders)
    return {line["attack"]: line for line in lines}


def _agent(pair, instance):
    """The process that is the guest's agent: another pid is another process."""
    return pair.deployment.inside(
        instance, "systemctl", "show", "-P", "MainPID", "trove-guestagent"
    ).strip()


def _jobs(pair, instance):
    """What the guest was told to do, by its own ledger."""
    listed = pair.deployment.inside(instance, "ls", "/var/lib/trove-guest/jobs")
    return sorted(listed.split())


def test_the_broker_refuses_each_of_them(attacks):
    """S12 and the table of a guest that was taken over: messages, impersonation."""
    assert set(attacks) == set(broker.ATTACKS)
    through = [one for one in attacks.values() if one["code"] not in broker.REFUSALS]
    assert through == []


def test_a_lie_in_the_body_is_the_liars_own(pair, attacks, before):
    """Impersonation: the report that says it is the victim's is nobody's, or its own.

    Restarted, the agent of the attacker is believed again: a lie does not stick.
    """
    until("its own word", lambda: pair.report(pair.attacker)[1] == 10**9)
    boot, seq, _ = pair.report(pair.victim)
    assert (boot, seq >= before["report"][1]) == (before["report"][0], True)
    assert seq < 10**6
    pair.believed_again()


def test_the_victim_saw_nothing_and_serves(pair, attacks, before):
    """INV-15: nothing came to it, it is heard as before, and its database answers."""
    assert _agent(pair, pair.victim) == before["agent"]
    assert _jobs(pair, pair.victim) == before["jobs"]
    pair.heard_anew(pair.victim)
    with pair.enter(pair.victim) as connection:
        assert ask(connection, "SELECT 1")[0][0] == 1


def test_the_control_plane_goes_on(pair, attacks):
    """A command reaches the victim, and its answer us; the audit is clean."""
    deployment = pair.deployment
    assert deployment.all_up()
    answer = pair.demo.ask("POST", f"/instances/{pair.victim}/action", {"restart": {}})
    assert answer.status_code == 202, answer.text
    until(
        "the restart is done",
        lambda: deployment.rows(
            "SELECT 1 FROM operations WHERE object_id = ? AND state = 'done' "
            "AND kind = 'instance.restart'",
            pair.victim,
        ),
    )
    pair.demo.wait(pair.victim)
    pair.demo.wait(pair.attacker)
    assert deployment.audit() == []
