# SPDX-License-Identifier: Apache-2.0
"""Roles mean what they say, and an operator may say otherwise."""

import os
import pathlib
import time

import pytest
from oslo_config import cfg

from trove import errors
from trove.api import policy
from trove.api.policy import Policy
from trove.context import Context


def rules(*files: str) -> Policy:
    conf = cfg.ConfigOpts()
    conf([f"--config-file={file}" for file in files], project="trove")
    return Policy(policy.enforcer(conf))


def caller(*roles: str, project: str = "p") -> Context:
    return Context(project, "u", roles)


@pytest.mark.parametrize(
    "role, read, write, manage",
    [
        ("reader", True, False, False),
        ("member", True, True, False),
        ("admin", True, True, True),
        ("visitor", False, False, False),
    ],
)
def test_roles(role: str, read: bool, write: bool, manage: bool) -> None:
    made = rules()
    for rule, may in (
        ("instance:show", read),
        ("instance:delete", write),
        ("instance:reset_status", manage),
        ("quota:update", manage),
    ):
        if may:
            made.authorize(caller(role), rule, "p")
        else:
            with pytest.raises(errors.Forbidden, match=rule):
                made.authorize(caller(role), rule, "p")


def test_another_projects_member_is_nobody() -> None:
    with pytest.raises(errors.Forbidden):
        rules().authorize(caller("member", project="q"), "instance:show", "p")


def test_what_has_no_rule_is_for_admins() -> None:
    with pytest.raises(errors.Forbidden):
        rules().authorize(caller("member"), "instance:teleport", "p")
    rules().authorize(caller("admin"), "instance:teleport", "p")


def test_an_operator_decides(tmp_path: pathlib.Path) -> None:
    (tmp_path / "policy.yaml").write_text(
        '"context_is_admin": "role:chief"\n"instance:delete": "rule:admin_or_owner"\n'
    )
    (tmp_path / "trove.conf").write_text(
        f"[oslo_policy]\npolicy_file = {tmp_path}/policy.yaml\n"
    )
    made = rules(str(tmp_path / "trove.conf"))
    assert made.is_admin(caller("chief"))
    assert not made.is_admin(caller("admin"))
    made.authorize(caller("visitor"), "instance:delete", "p")


def test_a_changed_file_counts_seconds_later(tmp_path: pathlib.Path) -> None:
    file = tmp_path / "policy.yaml"
    file.write_text('"instance:delete": "role:chief"\n')
    (tmp_path / "trove.conf").write_text(f"[oslo_policy]\npolicy_file = {file}\n")
    conf = cfg.ConfigOpts()
    conf([f"--config-file={tmp_path}/trove.conf"], project="trove")
    now = 100.0
    made = Policy(policy.enforcer(conf), clock=lambda: now)
    for who in ("member", "chief"):  # whoever asks, and however often
        for _ in range(2):
            if who == "chief":
                made.authorize(caller(who), "instance:delete", "p")
            else:
                with pytest.raises(errors.Forbidden):
                    made.authorize(caller(who), "instance:delete", "p")
    file.write_text('"instance:delete": "role:member"\n')
    later = time.time() + 10  # than the first, whatever a file system counts in
    os.utime(file, (later, later))
    now += policy.REMEMBERED
    made.authorize(caller("member"), "instance:delete", "p")
    with pytest.raises(errors.Forbidden):
        made.authorize(caller("chief"), "instance:delete", "p")


def test_what_is_remembered_is_of_one_project_and_bounded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(policy, "MOST", 3)
    made = rules()
    for n in range(10):
        made.authorize(caller("member", project=f"p{n}"), "instance:show", f"p{n}")
        with pytest.raises(errors.Forbidden):
            made.authorize(caller("member", project="q"), "instance:show", f"p{n}")
