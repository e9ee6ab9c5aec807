# SPDX-License-Identifier: Apache-2.0
"""A new database lets nobody in who was not ordered, and says nothing in clear text."""

import os
import pathlib
import stat

import pytest

from trove import errors
from trove.datastores import registry
from trove.datastores.protocol import Account


def test_nobody_comes_in_by_the_network_who_was_not_ordered(lab):
    for user in ("", "anonymous", "root", "postgres", "mysql", "os_admin"):
        for password in ("", "password", user):
            for tls in (True, False):
                with (
                    pytest.raises(lab.refused),
                    lab.client.login(user, password, tls=tls),
                ):
                    pass


def test_a_tenant_comes_in_by_tls_only_and_can_verify_the_server(lab):
    lab.account("tls", "s3cret-tls", "tlsdb")
    with lab.client.login("tls", "s3cret-tls", "tlsdb") as run:
        lab.client.make(run, "t")
        lab.client.put(run, "t", 1)
        assert lab.client.numbers(run, "t") == [1]
    with (
        pytest.raises(lab.refused),
        lab.client.login("tls", "s3cret-tls", "tlsdb", tls=False),
    ):
        pass
    with pytest.raises(lab.refused), lab.client.login("tls", "wrong", "tlsdb"):
        pass


def test_a_tenant_is_no_superuser(lab):
    lab.account("small", "s3cret-small", "smalldb")
    with lab.client.login("small", "s3cret-small", "smalldb") as run:
        for evil in lab.client.evil:
            with pytest.raises(lab.refused):
                # MariaDB answers NULL instead of saying that it may not read a file.
                assert run(evil) == [(None,)]
                raise lab.refused


def test_the_files_of_the_engine_are_its_own(lab):
    volume = pathlib.Path(lab.machine.path(registry.get(lab.name).data))
    assert stat.S_IMODE(os.stat(volume / "data").st_mode) == 0o700
    keys = list(lab.machine.root.glob("etc/**/server.pem"))
    assert keys
    for key in keys:
        assert stat.S_IMODE(key.stat().st_mode) == 0o600


def test_a_password_reaches_no_log(lab):
    log = lab.machine.path(f"/run/{lab.name}.general.log")
    pathlib.Path(log).touch(0o666)
    os.chmod(log, 0o666)
    lab.client.log_everything(log)
    lab.account("logged", "ClearTextThatMustNotBeThere", "loggeddb")
    lab.account("logged", "ClearTextThatMustNotBeThere", "loggeddb")
    with lab.client.login("logged", "ClearTextThatMustNotBeThere", "loggeddb") as run:
        lab.client.say(run, "what a tenant says")
    text = lab.client.logged(log) + lab.machine.service_log(lab.client.unit, 100000)
    assert "what a tenant says" in text
    assert "ClearText" not in text


def test_a_password_is_nowhere_on_the_volume(lab):
    lab.account("kept", "ClearTextThatMustNotBeThere", "keptdb")
    volume = pathlib.Path(lab.machine.path(registry.get(lab.name).data))
    found = {b"kept": 0, b"ClearText": 0}
    for path in volume.rglob("*"):
        if path.is_file():
            data = path.read_bytes()
            found = {word: found[word] + data.count(word) for word in found}
    assert found[b"kept"] > 0
    assert found[b"ClearText"] == 0


def test_reserved_names_are_refused_by_the_engine_too(lab):
    before = lab.client.users()
    for name in ("os_admin", lab.client.superuser, "trove_backup"):
        with pytest.raises(errors.Invalid, match="reserved"):
            lab.engine.accounts.create_accounts([Account(name, "%", (), "long enough")])
    assert lab.client.users() == before
