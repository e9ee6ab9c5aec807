# SPDX-License-Identifier: Apache-2.0
"""What is derived from the code is committed as the code says it now."""

import configparser
import pathlib
import re
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).parents[2]
GENERATED = ["trove", "trove-taskmanager", "trove-conductor", "trove-guestagent"]


@pytest.mark.parametrize("name", GENERATED)
def test_sample_options(name, tmp_path):
    made = tmp_path / "sample"
    command = [
        str(pathlib.Path(sys.executable).parent / "oslo-config-generator"),
        "--config-file",
        f"etc/oslo-config-generator/{name}.conf",
        "--output-file",
        str(made),
    ]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    kept = ROOT / "etc" / "trove" / f"{name}.conf.sample"
    assert made.read_text() == kept.read_text(), (
        "oslo-config-generator --config-file " + command[2]
    )


def test_the_taskmanagers_manager_is_where_the_sample_says():
    text = (ROOT / "etc/trove/trove-taskmanager.conf.sample").read_text()
    found = re.search(r"^#?taskmanager_manager = (\S+)$", text, re.MULTILINE)
    assert found
    module, _, name = found[1].rpartition(".")
    path = ROOT / pathlib.Path(*module.split(".")).with_suffix(".py")
    assert f"class {name}" in path.read_text()


@pytest.mark.parametrize("process", ["api", "taskmanager", "conductor"])
def test_units_are_watched_and_outlive_the_drain(process):
    unit = configparser.ConfigParser(interpolation=None, strict=False)
    unit.optionxform = str
    unit.read(ROOT / "etc" / "systemd" / f"trove-{process}.service")
    service = unit["Service"]
    assert service["Type"] == "notify"
    assert int(service["WatchdogSec"]) > 0
    assert int(service["TimeoutStopSec"]) > 60
    assert service["NoNewPrivileges"] == "yes"
