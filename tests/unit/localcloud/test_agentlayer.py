# SPDX-License-Identifier: Apache-2.0
from trove.localcloud import agentlayer

FORBIDDEN = ("eventlet", "greenlet", "sqlalchemy", "openstacksdk", "keystoneauth1")


def test_nothing_that_a_guest_must_not_have_is_installed():
    lines = agentlayer.requirements().lower().splitlines()
    pinned = [line for line in lines if not line.startswith("#")]
    assert not [line for line in pinned if line.startswith(FORBIDDEN)]
    assert not [line for line in pinned if "==" not in line]


def test_an_image_has_the_libraries_of_its_own_datastores():
    everyone = agentlayer.requirements()
    assert "pymysql" not in everyone.lower()
    made = agentlayer.requirements(["toydb-client==1.0", "toydb-words==2.1"])
    assert made == f"{everyone.rstrip()}\ntoydb-client==1.0\ntoydb-words==2.1\n"


def test_a_guest_gets_its_half_of_the_package_and_no_more():
    names = set(agentlayer.sources())
    assert {"errors.py", "rpc/guest.py", "cmd/guestagent.py"} <= names
    folders = {name.partition("/")[0] for name in names}
    assert not folders & {"api", "db", "cloud", "flows", "taskmanager", "localcloud"}
    assert "service/concurrency.py" not in names
    assert not [name for name in names if "__pycache__" in name]


def test_changed_code_is_another_layer(tmp_path):
    module = tmp_path / "errors.py"
    module.write_text("one = 1\n")
    before = agentlayer.content({"errors.py": module})
    module.write_text("one = 2\n")
    assert agentlayer.content({"errors.py": module}) != before


def test_the_agent_is_started_by_its_own_unit():
    assert "-m trove.cmd.guestagent" in agentlayer.unit()
