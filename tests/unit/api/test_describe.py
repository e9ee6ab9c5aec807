# SPDX-License-Identifier: Apache-2.0
"""What is committed is what the declarations say."""

import pathlib

import pytest
import yaml

from trove.api import describe

NAMES = [describe.POLICY, describe.REFERENCE, describe.OPENAPI]
ROOT = pathlib.Path(__file__).parents[3]


@pytest.mark.parametrize("name", NAMES)
def test_the_committed_copy_is_current(name: str, tmp_path: pathlib.Path) -> None:
    assert describe.main([str(tmp_path)]) == 0
    made = (tmp_path / name).read_text()
    assert made == (ROOT / name).read_text(), "python -m trove.api.describe ."


def test_the_sample_is_a_policy_when_it_is_uncommented() -> None:
    lines = describe.sample_policy().splitlines()
    rules = yaml.safe_load("\n".join(x[1:] for x in lines if x.startswith('#"')))
    assert rules["instance:delete"] == "rule:member"
    assert rules["datastore:index"] == "@"


def test_every_operation_is_in_the_reference() -> None:
    text = describe.reference()
    for route in describe.TABLE.routes:
        assert f"{route.op.method} /v1.0/{{tenant}}/{route.path}\n" in text
        assert route.op.said
