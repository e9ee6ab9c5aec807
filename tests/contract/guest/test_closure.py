# SPDX-License-Identifier: Apache-2.0
"""What the agent loads, and how much memory that takes before it has done anything."""

import json
import os
import pathlib
import subprocess
import sys

import pytest

from trove.datastores import registry

ROOT = pathlib.Path(__file__).resolve().parents[3]
BUDGET = 60 * 1000 * 1000

FORBIDDEN = {
    "alembic",
    "cinderclient",
    "cryptography",
    "eventlet",
    "greenlet",
    "jsonschema",
    "keystoneauth1",
    "novaclient",
    "openstack",
    "oslo_db",
    "pecan",
    "requests",
    "sqlalchemy",
}

# As cmd/guestagent.py comes up, and what its parts load later when they are used.
SCRIPT = """
import importlib, json, os, sys
sys.modules["eventlet"] = None
from trove.cmd import guestagent
guestagent.start_logging()
guestagent.stay_small()
from trove.datastores import registry
from trove.guestagent import agent, enrolment, link
from trove.service import process, rpcserver
from trove.config import register
from oslo_config import cfg
register(cfg.CONF, "guest", "broker")
import oslo_messaging, trove.rpc.driver, oslo_concurrency.lockutils
for name in sys.argv[1:]:
    importlib.import_module(registry.get(name).agent)
pages = int(open("/proc/self/statm").read().split()[1])
loaded = [name for name, module in sys.modules.items() if module is not None]
print(json.dumps({
    "loaded": sorted(loaded), "rss": pages * os.sysconf("SC_PAGE_SIZE")}))
"""


def measured(*datastores):
    ran = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", SCRIPT, *datastores],
        env={
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ROOT),
            "MALLOC_ARENA_MAX": "2",
        },
        capture_output=True,
        check=True,
        text=True,
    )
    return json.loads(ran.stdout)


@pytest.mark.parametrize("datastore", registry.names())
def test_the_agent_of_each_datastore_is_small_and_ignorant(datastore):
    found = measured(datastore)
    tops = {name.partition(".")[0] for name in found["loaded"]}
    assert sorted(tops & FORBIDDEN) == []
    floors = {name for name in found["loaded"] if name.startswith("trove.")}
    for floor in ("db", "cloud", "api", "flows", "actions", "workflow", "localcloud"):
        assert not [name for name in floors if name.startswith(f"trove.{floor}")]
    assert "trove.service.concurrency" not in floors
    assert found["rss"] < BUDGET, found["rss"]
    print(f"{datastore}: {found['rss'] / 1e6:.1f} MB after import")
