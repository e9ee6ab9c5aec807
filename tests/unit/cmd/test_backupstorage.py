# SPDX-License-Identifier: Apache-2.0
"""Tests of trove/cmd/backupstorage.py: the store that the options name."""

import pytest
from oslo_config import cfg

from trove import config
from trove.cmd import backupstorage
from trove.config import backup
from trove.storage.keys import Keyring, NoKeys
from trove.storage.vault.directory import Directory
from trove.storage.vault.s3 import S3
from trove.storage.vault.swift import Swift

OVERRIDDEN = [option.dest for option in backup.OPTS]


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


def opened(conf, **options):
    for name, value in options.items():
        conf.set_override(name, value, "backup")
    storage = backupstorage.opened(conf)
    return storage.vault(options["driver"], "c", "b")


def test_none_where_nobody_has_said(conf):
    assert backupstorage.opened(conf) is None


def test_a_directory(conf, tmp_path):
    assert isinstance(
        opened(conf, driver="directory", directory=str(tmp_path)), Directory
    )


def test_a_bucket(conf):
    options = {
        "driver": "s3",
        "s3_endpoint": "http://127.0.0.1:1",
        "s3_bucket": "b",
        "s3_access_key": "a",
        "s3_secret_key": "s",
    }
    vault = opened(conf, **options)
    assert isinstance(vault, S3)
    vault.close()


def test_swift_is_looked_for_when_it_is_needed(conf, monkeypatch):
    """Keystone may be away when the process starts."""
    from trove.cloud.openstack.session import Access

    conf.set_override("driver", "swift", "backup")
    storage = backupstorage.opened(conf)
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


def test_keys_that_are_not_there_are_said_at_once(conf):
    conf.set_override("driver", "directory", "backup")
    conf.set_override("keyring", "/nowhere/keys", "backup")
    with pytest.raises(NoKeys, match="FileNotFoundError"):
        backupstorage.opened(conf)
