# SPDX-License-Identifier: Apache-2.0
"""trove-tempest-plugin, unmodified, from its own environment (``--long`` makes it).

Its scenarios make projects and users of their own in Keystone, an instance each, and
log in to its database. Those of backups and replicas come with them.
"""

import os
import pathlib
import subprocess

import pytest
import yaml

from tests.system.deployment import VERSIONS, Deployment, until

pytestmark = [pytest.mark.root, pytest.mark.localcloud]

PLUGIN = "trove_tempest_plugin.tests.scenario"
SCENARIOS = [
    f"{PLUGIN}.test_instance_basic.TestInstanceBasicMariaDB",
    f"{PLUGIN}.test_instance_basic.TestInstanceBasicPostgreSQL",
    f"{PLUGIN}.test_instance_actions.TestInstanceActionsMariaDB",
    f"{PLUGIN}.test_instance_actions.TestInstanceActionsPostgreSQL",
    f"{PLUGIN}.test_instance_update_access.TestInstanceUpdateAccessMariaDB",
    f"{PLUGIN}.test_instance_update_access.TestInstanceUpdateAccessPostgreSQL",
]
CONF = """\
[DEFAULT]
log_file = {folder}/tempest.log
[oslo_concurrency]
lock_path = {folder}
[auth]
use_dynamic_credentials = true
create_isolated_networks = false
tempest_roles = member
admin_username = {username}
admin_password = {password}
admin_project_name = {project_name}
admin_domain_name = {user_domain_name}
[identity]
uri_v3 = {auth_url}
auth_version = v3
region = {region}
[identity-feature-enabled]
api_v2 = false
[service_available]
trove = true
[database]
enabled_datastores = {datastores}
default_datastore_versions = {versions}
flavor_id = 1
resize_flavor_id = 2
shared_network = trove
volume_type = local
database_build_timeout = 300
"""


@pytest.mark.timeout(1200)
@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda it: it.rpartition(".")[2])
def test_its_scenarios_pass(
    deployment: Deployment, tmp_path: pathlib.Path, scenario: str, record_property
) -> None:
    known = yaml.safe_load(deployment.place.clouds_yaml.read_text())["clouds"]["admin"]
    file = tmp_path / "tempest.conf"
    file.touch(mode=0o600)
    file.write_text(
        CONF.format(
            folder=tmp_path,
            region=known["region_name"],
            datastores=",".join(VERSIONS),
            versions=",".join(f"{name}:{word}" for name, word in VERSIONS.items()),
            **known["auth"],
        )
    )
    python = pathlib.Path(os.environ["TROVE_TEMPEST_VENV"]) / "bin" / "python"
    ran = subprocess.run(
        [str(python), "-W", "ignore", "-m", "testtools.run", scenario],
        env={
            "PATH": os.environ["PATH"],
            "HOME": str(tmp_path),
            "TEMPEST_CONFIG_DIR": str(tmp_path),
            "TEMPEST_CONFIG": file.name,
        },
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=1100,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout[-4000:] + ran.stderr[-2000:]
    told = [line for line in ran.stdout.splitlines() if line.startswith("Ran ")]
    assert told and not told[0].startswith("Ran 0 ")
    record_property("summary", f"tempest, {scenario.rpartition('.')[2]}: {told[0]}")
    until(
        "what it made is gone",
        lambda: (
            not deployment.rows("SELECT 1 FROM operations WHERE lock_key IS NOT NULL")
        ),
    )
