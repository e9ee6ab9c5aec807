# SPDX-License-Identifier: Apache-2.0
"""Tests of trove/cmd/backupstorage.py: the store that the options name."""

import pathlib
import sys

import pytest
from oslo_config import cfg

from trove import config, errors
from trove.cloud.openstack.keymanager import NoLibrary
from trove.cmd import backupstorage
from trove.config import backup
from trove.db.keybook import KeyBook
from trove.db.session import Database
from trove.db.tables import Record
from trove.storage.keys import Keyring, NoKeys, NotOpened, Wrapped
from trove.storage.managed import Entry, ManagedKeys
from trove.storage.vault.directory import Directory
from trove.storage.vault.s3 import S3
from trove.storage.vault.swift import Swift

OVERRIDDEN = [option.dest for option in backup.OPTS]


@pytest.fixture
def database():
    made = Database("sqlite://")
    Record.metadata.create_all(made.engine)
    yield made
    made.close()


@pytest.fixture
def conf(tmp_path):
    conf = cfg.ConfigOpts()
    config.register(conf, "backup", "cloud")
    conf([], project="trove-test", default_config_files=[])
    Keyring.create(tmp_path / "keys")
    conf.set_override("keyring", str(tmp_path / "keys"), "backup")
    yield conf
    for name in OVERRIDDEN:  # of a group that every ConfigOpts of this process shares
        conf.clear_override(name, "backup")


def opened(conf, database, **options):
    for name, value in options.items():
        conf.set_override(name, value, "backup")
    storage = backupstorage.opened(conf, database)
    return storage.vault(options["driver"], "c", "b")


def test_none_where_nobody_has_said(conf, database):
    assert backupstorage.opened(conf, database) is None


def test_a_directory(conf, database, tmp_path):
    assert isinstance(
        opened(conf, database, driver="directory", directory=str(tmp_path)), Directory
    )


def test_a_bucket(conf, database):
    options = {
        "driver": "s3",
        "s3_endpoint": "http://127.0.0.1:1",
        "s3_bucket": "b",
        "s3_access_key": "a",
        "s3_secret_key": "s",
    }
    vault = opened(conf, database, **options)
    assert isinstance(vault, S3)
    vault.close()


def test_swift_is_looked_for_when_it_is_needed(conf, database, monkeypatch):
    """Keystone may be away when the process starts."""
    from trove.cloud.openstack.session import Access

    conf.set_override("driver", "swift", "backup")
    storage = backupstorage.opened(conf, database)
    asked = []

    def endpoint(self, service):
        asked.append(service)
        return "http://127.0.0.1:1/v1/AUTH_service"

    monkeypatch.setattr(Access, "endpoint", endpoint)
    for id in ("a", "b"):
        vault = storage.vault("swift", "c", id)
        assert isinstance(vault, Swift)
        vault.close()
    assert asked == ["object-store"]


def test_keys_that_are_not_there_are_said_at_once(conf, database):
    conf.set_override("driver", "directory", "backup")
    conf.set_override("keyring", "/nowhere/keys", "backup")
    with pytest.raises(NoKeys, match="FileNotFoundError"):
        backupstorage.opened(conf, database)


@pytest.fixture
def managed(conf, database):
    """With a key manager; nobody is at the address where Keystone would be."""
    conf.set_override("driver", "directory", "backup")
    conf.set_override("key_manager", "barbican", "backup")
    return backupstorage.opened(conf, database).keys


def test_a_key_manager_is_not_asked_before_it_is_needed(managed):
    assert isinstance(managed, ManagedKeys)
    with pytest.raises(errors.Unavailable, match="key manager"):
        managed.wrap("p", b"k" * 32)


def test_beside_a_key_manager_the_keyring_opens_what_is_its_own(conf, managed):
    key = b"k" * 32
    old = Keyring.read(conf.backup.keyring).wrap("p", key)
    assert managed.unwrap("p", old) == key


def test_a_key_manager_needs_no_keyring(conf, database):
    conf.set_override("keyring", "/nowhere/keys", "backup")
    conf.set_override("key_manager", "barbican", "backup")
    keys = backupstorage.keys(conf, database)
    with pytest.raises(NotOpened, match="no keyring"):
        keys.unwrap("p", Wrapped("1", "00" * 40))


def test_a_keyring_that_others_may_read_is_none_beside_one_either(conf, database):
    pathlib.Path(conf.backup.keyring).chmod(0o644)
    conf.set_override("key_manager", "barbican", "backup")
    with pytest.raises(NoKeys, match="others may read it"):
        backupstorage.keys(conf, database)


def test_the_keys_of_projects_are_those_of_the_control_database(managed, database):
    assert KeyBook(database).keep("p", 3, "an id") == "an id"
    assert managed._book.newest("p") == Entry(3, "an id")


def test_an_extra_that_is_not_installed_is_said_at_once(conf, database, monkeypatch):
    monkeypatch.setitem(sys.modules, "castellan", None)
    conf.set_override("driver", "directory", "backup")
    conf.set_override("key_manager", "barbican", "backup")
    with pytest.raises(NoLibrary, match="trove-dbaas"):
        backupstorage.opened(conf, database)
