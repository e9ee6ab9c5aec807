# SPDX-License-Identifier: Apache-2.0
"""A server that only reads its configuration, and one that is gone a moment later."""

import pytest

from trove import errors
from trove.datastores.protocol import Ran
from trove.datastores.valkey.agent import throwaway
from trove.datastores.valkey.agent.throwaway import stopped_short

READ = Ran(1, "# Aborting Valkey startup because of ACL errors: Error loading", "")


def test_one_that_ends_at_the_stopper_took_everything_before_it(host):
    host.answers["valkey-server"] = READ
    assert stopped_short(host, "/staged.conf") == ""
    assert host.deeds == ["valkey-server as valkey"]


@pytest.mark.parametrize(
    "ran, said",
    [
        (Ran(1, "", "*** FATAL CONFIG FILE ERROR ***\n>>> 'hz x'"), "hz x"),
        (Ran(-6, "", ""), "exit code -6"),
        (Ran(0, "", ""), "exit code 0"),
    ],
)
def test_any_other_end_is_a_complaint(host, ran, said):
    host.answers["valkey-server"] = ran
    assert said in stopped_short(host, "/staged.conf")


@pytest.mark.parametrize(
    "ran, said",
    [
        (
            Ran(2, "", "start-stop-daemon: timed out waiting for a notification"),
            "timed",
        ),
        (Ran(0, "", ""), "did not start"),
    ],
)
def test_one_that_does_not_start_leaves_nothing(host, tmp_path, ran, said):
    host.answers["env"] = ran
    host.path = lambda path: f"{tmp_path}{path}"
    with pytest.raises(errors.EngineFailed, match=said):
        with throwaway.throwaway(host):
            pass
    assert not host.exists(f"{tmp_path}{throwaway.WORK}")
