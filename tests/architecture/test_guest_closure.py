# SPDX-License-Identifier: Apache-2.0
"""What the agent loads: nothing of the control plane, and little of anything."""

import json
import pathlib
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).parents[2]
NEVER = {
    "alembic",
    "cinderclient",
    "eventlet",
    "gunicorn",
    "keystoneauth1",
    "novaclient",
    "openstack",
    "oslo_db",
    "pecan",
    "sqlalchemy",
    "trove.actions",
    "trove.api",
    "trove.cloud",
    "trove.conductor",
    "trove.db",
    "trove.flows",
    "trove.localcloud",
    "trove.service.concurrency",
    "trove.taskmanager",
    "trove.workflow",
}

LOOK = """
import importlib, json, pathlib, pkgutil, sys, warnings
warnings.simplefilter("ignore")

class Absent:
    # eventlet is not in a guest's image: hide this environment's.
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {"eventlet", "sqlalchemy"}:
            raise ModuleNotFoundError(f"{name} is not in a guest")

sys.meta_path.insert(0, Absent())
from trove.service import threads
threads.prepare()
failed = {}
for package in ("trove.guestagent", "trove.rpc", "trove.datastores", "trove.storage"):
    top = importlib.import_module(package)
    for found in pkgutil.walk_packages(top.__path__, package + "."):
        try:
            importlib.import_module(found.name)
        except ImportError as error:
            failed[found.name] = str(error)
print(json.dumps({"modules": sorted(sys.modules), "failed": failed}))
"""


@pytest.fixture(scope="module")
def loaded():
    done = subprocess.run(
        [sys.executable, "-c", LOOK],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_every_module_of_a_guest_loads_without_them(loaded):
    assert loaded["failed"] == {}


def test_none_of_them_is_loaded(loaded):
    modules = loaded["modules"]
    found = [
        name
        for name in modules
        for never in NEVER
        if name == never or name.startswith(f"{never}.")
    ]
    assert found == []
