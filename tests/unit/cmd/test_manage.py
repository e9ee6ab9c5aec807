# SPDX-License-Identifier: Apache-2.0
"""trove-manage, as an operator types it."""

import itertools
import json
import pathlib
import re

import pytest
import sqlalchemy as sa
from cryptography import fernet

from trove.cmd import manage
from trove.datastores import rules as files
from trove.db import migrate, types
from trove.db.session import Database
from trove.db.tables import DatastoreVersion, Instance, Operation
from trove.rpc import signing
from trove.storage.keys import Keyring

NEWEST = migrate.head()


@pytest.fixture
def shell(tmp_path, capsys):
    """``shell(*words)`` -> exit code, standard output, standard error."""
    keys = tmp_path / "seal-keys"
    keys.write_bytes(fernet.Fernet.generate_key() + b"\n")
    conf = tmp_path / "trove.conf"
    conf.write_text(
        f"[database]\nconnection = sqlite:///{tmp_path}/trove.sqlite\n"
        f"seal_keys = {keys}\n[cloud]\nname = memory\n[quota]\ninstances = 7\n"
    )

    def run(*words: str):
        code = manage.main(["--config-file", str(conf), *words])
        said = capsys.readouterr()
        return code, said.out, said.err

    run.path = tmp_path
    return run


@pytest.fixture
def synced(shell):
    assert shell("db", "sync")[0] == 0
    return shell


def test_the_database_is_brought_up_to_date(shell):
    assert shell("db", "version")[0] == 3
    code, out, _ = shell("db", "sync")
    assert (code, out) == (0, f"The database is now at revision {NEWEST}.\n")
    assert shell("db", "sync")[1] == f"The database was at revision {NEWEST}.\n"
    code, out, _ = shell("--json", "db", "version")
    assert (code, json.loads(out)) == (0, {"database": NEWEST, "newest": NEWEST})


def test_going_back_must_be_meant(synced):
    code, _, err = synced("db", "downgrade", "base")
    assert code == 1 and "--yes" in err
    assert synced("db", "downgrade", "base", "--yes")[0] == 0
    assert synced("db", "version")[0] == 3


def test_a_command_on_an_empty_database_says_so(shell):
    code, out, err = shell("datastore", "list")
    assert (code, out) == (1, "")
    assert "no such table" in err and "Traceback" not in err


def test_datastores_are_registered_and_listed(synced):
    words = ("datastore", "version", "register", "mariadb", "10.11")
    assert synced(*words, "--image-tags", "trove,mariadb", "--default")[0] == 0
    assert synced(*words, "--inactive")[0] == 0
    code, out, _ = synced("--json", "datastore", "list")
    (row,) = json.loads(out)
    assert code == 0
    assert (row["datastore"], row["version"], row["manager"]) == (
        "mariadb",
        "10.11",
        "mariadb",
    )
    assert row["image_tags"] == ["trove", "mariadb"]
    assert (row["active"], row["default"]) == (False, True)
    assert "10.11" in synced("datastore", "list")[1]


def rules(synced):
    found = json.loads(synced("--json", "parameters", "list", "mariadb", "10.11")[1])
    return {row["name"]: row for row in found}


def test_rules_are_listed_loaded_and_never_widened(synced, tmp_path):
    words = ("datastore", "version", "register", "mariadb", "10.11")
    assert synced(*words, "--image", "x")[0] == 0
    assert rules(synced)["max_connections"]["restart_required"] is False
    file = tmp_path / "rules.json"
    entry = {"name": "sort_buffer_size", "type": "integer", "restart_required": False}
    told = {"configuration-parameters": [{**entry, "min": 3000, "max": 9000}]}
    file.write_text(json.dumps(told))
    load = ("parameters", "load", "mariadb", "10.11")
    assert synced(*load, str(file))[1] == "mariadb 10.11 has 1 parameters.\n"
    assert {name: row["max"] for name, row in rules(synced).items()} == {
        "sort_buffer_size": 9000
    }
    words = {"name": "event_scheduler", "type": "string", "restart_required": False}
    for wrong, says in (
        ([{**entry, "max": 10**12}], "can be from"),
        ([{**entry, "type": "string"}], "cannot be of type string"),
        ([{**words, "values": ["ON", "DISABLED"]}], "can be one of: ON"),
        ([{**entry, "name": "plugin_load"}], "no parameter plugin_load"),
        ([entry, entry], "twice"),
        ([{"name": "sort_buffer_size"}], "is no file of"),
        ([{**entry, "type": "blob"}], "is no file of"),
        (7, "is no file of"),
    ):
        file.write_text(json.dumps({"configuration-parameters": wrong}))
        upstream = ("db_load_datastore_config_parameters", "mariadb", "10.11")
        code, _, err = synced(*upstream, str(file))
        assert code == 1 and says in err
    assert len(rules(synced)) == 1
    assert "cannot be read" in synced(*load, str(tmp_path / "none"))[2]
    assert synced("parameters", "list", "mariadb", "9")[0] == 1


def test_an_engines_file_is_loaded_once_and_returned_to(synced, tmp_path):
    words = ("datastore", "version", "register", "postgresql", "15")
    assert synced(*words, "--image", "x")[0] == 0
    load = ("parameters", "load", "postgresql", "15")
    listed = ("--json", "parameters", "list", "postgresql", "15")
    declared = synced(*listed)[1]
    assert len(json.loads(declared)) > 30
    assert synced(*load)[0] == 0
    assert synced(*listed)[1] == declared, "nothing was loaded to return to"
    rule = {"type": "integer", "restart_required": True, "min": 1, "max": 9}
    file = tmp_path / "rules.json"

    def write(name, datastore="postgresql"):
        file.write_text(files.write(datastore, "15.18", {name: rule}))

    write("commit_delay", "mariadb")
    code, _, err = synced(*load, str(file))
    assert code == 1 and "is of mariadb" in err
    write("commit_delay")
    said = synced(*load, str(file), "--once")[1]
    assert said == "postgresql 15 has 1 parameters, as 15.18 has them.\n"
    write("commit_siblings")  # which is not looked at
    assert synced(*load, str(file), "--once")[1] == "postgresql 15 has 1 parameters.\n"
    rows = json.loads(synced(*listed)[1])
    assert [(row["name"], row["max"]) for row in rows] == [("commit_delay", 9)]
    assert synced(*load)[1] == "postgresql 15 has 1 parameters.\n"
    assert synced(*load, str(file))[0] == 0
    [row] = json.loads(synced(*listed)[1])
    assert row["name"] == "commit_siblings"


def test_a_default_version_is_named(synced):
    for name in ("15", "16"):
        synced("datastore", "version", "register", "postgresql", name, "--image", "x")
    assert synced("datastore", "register", "postgresql", "--default", "16")[0] == 0
    rows = json.loads(synced("--json", "datastore", "list")[1])
    assert [row["version"] for row in rows if row["default"]] == ["16"]
    assert synced("datastore", "register", "postgresql", "--default", "9")[0] == 1


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("toydb", "8", "--image", "x"), "no datastore plug-in 'toydb'"),
        (("mariadb", "10.11"), "--image"),
    ],
)
def test_a_version_that_cannot_work_is_refused(synced, words, says):
    code, _, err = synced("datastore", "version", "register", *words)
    assert code == 1 and says in err
    assert json.loads(synced("--json", "datastore", "list")[1]) == []


@pytest.mark.parametrize("what", ["flavors", "volume-types"])
def test_what_a_version_may_have(synced, what):
    synced("datastore", "version", "register", "postgresql", "15", "--image", "x")

    def offer(*words):
        words = ("datastore", "version", what, "postgresql", "15", *words)
        code, out, err = synced("--json", *words)
        return code, json.loads(out)[what.replace("-", "_")] if code == 0 else err

    assert offer() == (0, [])
    assert offer("--add", "b", "a") == (0, ["a", "b"])
    assert offer("--remove", "b", "--add", "c") == (0, ["a", "c"])
    assert offer() == (0, ["a", "c"])
    code, said = offer("--remove", "b")
    assert code == 1 and "b: not among them" in said
    assert offer("--remove", "a", "--add", "a")[0] == 1
    assert offer("--remove", "a", "c") == (0, [])


def test_quotas_are_set_and_shown(synced):
    code, out, _ = synced("--json", "quota", "set", "p1", "ram=2048")
    limits = {row["resource"]: row["limit"] for row in json.loads(out)}
    assert code == 0
    assert (limits["ram"], limits["instances"]) == (2048, 7)
    assert "2048" in synced("quota", "show", "p1")[1]


@pytest.mark.parametrize("word", ["ram", "ram=lots", "floppies=1", "ram=-2"])
def test_a_quota_that_makes_no_sense_is_refused(synced, word):
    assert synced("quota", "set", "p1", word)[0] == 1


def test_a_signing_key_is_made_once_and_stays_private(shell):
    path = shell.path / "etc" / "signing-key"
    code, out, _ = shell("key", "create-signing", str(path))
    assert code == 0 and "holds the new key" in out
    assert path.stat().st_mode & 0o777 == 0o600
    key = path.read_text()
    assert signing.Signer.load(path).public in out and key.strip() not in out
    code, out, _ = shell("key", "create-signing", str(path))
    assert code == 0 and "holds a key already" in out
    assert path.read_text() == key


def test_keys_of_backups_are_added_on_top_and_stay_private(shell):
    path = shell.path / "etc" / "backup-keys"
    code, out, _ = shell("key", "create-backup", str(path))
    assert code == 0 and "no backup can be restored" in out
    assert path.stat().st_mode & 0o777 == 0o600
    wrapped = Keyring.read(path).wrap("p", b"k" * 32)
    assert shell("key", "create-backup", str(path))[0] == 0
    assert len(path.read_text().split()) == 2
    assert Keyring.read(path).wrap("p", b"k" * 32).ring != wrapped.ring
    assert Keyring.read(path).unwrap("p", wrapped) == b"k" * 32
    code, out, _ = shell("key", "create-backup", str(path), "--keep")
    assert code == 0 and "already" in out
    assert len(path.read_text().split()) == 2


def test_a_keyring_is_not_rotated_by_a_key_manager(synced):
    code, _, err = synced("key", "rotate-backup")
    assert code == 1 and "create-backup" in err


def test_keys_are_added_on_top_and_stay_private(shell):
    path = shell.path / "etc" / "keys"
    assert shell("key", "create", str(path))[0] == 0
    (first,) = path.read_text().split()
    assert shell("key", "create", str(path), "--keep")[0] == 0
    assert path.read_text().split() == [first]
    assert shell("key", "create", str(path))[0] == 0
    newest, old = path.read_text().split()
    assert old == first and newest != first
    assert path.stat().st_mode & 0o777 == 0o600
    types.use_keys(path)


def test_no_key_is_printed(shell):
    path = shell.path / "keys"
    _, out, err = shell("key", "create", str(path))
    assert path.read_text().strip() not in out + err


def test_the_authority_is_made_once(shell):
    place = shell.path / "ca"
    assert shell("ca", "create", str(place))[0] == 0
    first = (place / "ca.pem").read_bytes()
    assert shell("ca", "create", str(place))[0] == 0
    assert (place / "ca.pem").read_bytes() == first


def write_operation(shell, **columns):
    types.use_keys(shell.path / "seal-keys")
    database = Database(f"sqlite:///{shell.path}/trove.sqlite")
    with database.transaction() as tx:
        tx.add(
            Operation(
                id="op-1",
                project="demo",
                object_type="instance",
                object_id="i-1",
                kind="instance.restart",
                state="stuck",
                fault="restart_database: \x1b[31mno\nanswer",
                input={"password": "canary"},
                lock_key="instance:i-1",
                due=1.0,
                deadline=2.0,
                created=1.0,
                updated=1.0,
            )
        )
    database.close()


def test_a_stuck_operation_is_seen_and_retried(synced):
    write_operation(synced)
    code, out, _ = synced("operations", "list")
    assert code == 0 and "op-1" in out and "stuck" in out
    # what a guest said must not steer the terminal
    assert "\x1b" not in out and "?[31mno?answer" in out
    code, out, _ = synced("operations", "show", "op-1")
    assert code == 0 and "1970-01-01T00:00:02Z" in out and "canary" not in out
    assert synced("operations", "retry", "op-1")[0] == 0
    shown = json.loads(synced("--json", "operations", "show", "op-1")[1])
    assert (shown["state"], shown["steps"]) == ("running", [])
    assert shown["created"] == "1970-01-01T00:00:01.000Z"
    assert synced("operations", "retry", "op-1")[0] == 1


def test_an_operation_is_abandoned_by_somebody(synced):
    write_operation(synced)
    words = ("operations", "abandon", "op-1", "--by", "ada")
    code, out, _ = synced(*words, "--why", "the host burnt")
    assert code == 0 and "ada" in out
    assert synced("operations", "list")[1].count("op-1") == 0
    assert "burnt" in synced("operations", "list", "--all")[1]


def test_the_audits_exit_code_is_its_answer(synced):
    code, out, _ = synced("audit", "--no-broker", "--pause", "0")
    assert (code, out) == (0, "No violation.\n")
    write_operation(synced)
    code, out, _ = synced("audit", "--no-broker", "--pause", "0")
    assert (code, out) == (
        3,
        "INV-1: operation op-1 (instance.restart of i-1) is stuck\n",
    )
    code, out, _ = synced("--json", "audit", "--no-broker", "--pause", "0")
    assert json.loads(out)[0]["invariant"] == "INV-1"


def test_an_audit_that_cannot_ask_the_broker_is_not_clean(synced):
    code, out, err = synced("audit", "--pause", "0")
    assert (code, out) == (1, "") and "--no-broker" in err


def test_the_map_leads_to_a_nouns_files(shell):
    code, out, _ = shell("map", "instances")
    assert code == 0
    assert "trove/db/queries/instances.py" in out
    assert "trove/flows/instance_create.py" in out
    assert shell("map", "unicorns")[0] == 1


@pytest.mark.parametrize("words", [(), ("db",), ("nonsense",), ("quota", "set", "p")])
def test_a_wrong_command_line_is_two(words):
    with pytest.raises(SystemExit) as ended:
        manage.main(list(words))
    assert ended.value.code == 2


def test_every_command_explains_itself(capsys):
    def walk(parser, path=()):
        yield path
        for action in parser._actions:
            if not isinstance(action.choices, dict):
                continue
            for name, child in action.choices.items():
                yield from walk(child, (*path, name))

    for path in walk(manage.parser()):
        with pytest.raises(SystemExit) as ended:
            manage.main([*path, "--help"])
        assert ended.value.code == 0
        assert "usage: trove-manage" in capsys.readouterr().out


def test_a_database_is_emptied_when_nothing_lives(synced):
    url = f"sqlite:///{synced.path}/trove.sqlite"
    database = Database(url)
    about = {"project": "p", "name": "n", "task": "NONE", "version_id": "v"}
    about |= {"flavor_id": "1", "server_number": 1, "created": 0, "updated": 0}
    with database.transaction() as tx:
        tx.add(Instance(id="i", **about))
    code, _, err = synced("db", "recreate", "--yes")
    assert code == 1 and "1 instances live" in err
    with database.transaction() as tx:
        tx.get_one(Instance, "i").deleted_at = 1.0
    code, _, err = synced("db", "recreate")
    assert code == 1 and "--yes" in err
    code, out, _ = synced("db", "recreate", "--yes")
    assert (code, out) == (0, f"The database is empty, at revision {NEWEST}.\n")
    with database.reading() as tx:
        assert tx.get(Instance, "i") is None
    database.close()


def test_an_empty_file_is_recreated_too(shell):
    assert shell("db", "recreate", "--yes")[0] == 0
    assert shell("db", "version")[0] == 0


def test_all_that_a_version_has_can_be_said(synced):
    words = ("mariadb", "10.11", "--image-tags", "a, b", "--packages", "x,, y")
    words += ("--registry-ext", "r", "--repl-strategy", "s")
    assert synced("datastore", "version", "register", *words)[0] == 0
    with Database(f"sqlite:///{synced.path}/trove.sqlite").reading() as tx:
        (row,) = tx.scalars(sa.select(DatastoreVersion))
    assert (row.image_tags, row.packages) == (["a", "b"], ["x", "y"])
    assert (row.registry_ext, row.repl_strategy) == ("r", "s")


PAGE = pathlib.Path(__file__).parents[3] / "doc" / "operator" / "commands.rst"


def commands():
    """Ours, of the table: the words before what is in capitals or an option."""
    rows = re.split(r"^   \* - ", PAGE.read_text(), flags=re.MULTILINE)[2:]
    for row in rows:
        _, _, ours = row.partition("\n     - ")
        for said in re.findall(r"``([^`]+)``", ours):
            words = list(itertools.takewhile(str.islower, said.split()))
            if words and words[0] in ("db", "datastore", "parameters"):
                yield words


@pytest.mark.parametrize("words", list(commands()), ids=" ".join)
def test_what_the_page_on_commands_names_is_there(words, capsys):
    with pytest.raises(SystemExit) as ended:
        manage.main([*words, "--help"])
    assert ended.value.code == 0, capsys.readouterr().err
