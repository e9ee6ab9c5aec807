# SPDX-License-Identifier: Apache-2.0
"""Datastores are found, by name, and only their data is loaded."""

import subprocess
import sys

import pytest

from trove import errors
from trove.datastores import registry


def test_the_folders_are_found():
    assert {"mariadb", "postgresql"} <= set(registry.names())
    for name in registry.names():
        assert registry.get(name).name == name


def test_an_unknown_one_is_not_found():
    with pytest.raises(errors.DatastoreNotFound, match="oracle"):
        registry.get("oracle")


@pytest.mark.parametrize("name", registry.names())
def test_every_parameter_is_typed_and_bounded(name):
    for parameter in registry.get(name).parameters.values():
        assert isinstance(parameter["restart_required"], bool)
        match parameter["type"]:
            case "integer" | "float":
                assert parameter["min"] < parameter["max"]
            case "string":
                assert parameter["pattern"]
            case kind:
                assert kind == "boolean"


def test_asking_for_the_data_loads_no_driver():
    code = (
        "import sys; from trove.datastores import registry; "
        "[registry.get(n) for n in registry.names()]; "
        "print([m for m in sys.modules if m in ('pymysql', 'psycopg') "
        "or '.agent' in m])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert found.stdout.strip() == "[]", found.stderr
