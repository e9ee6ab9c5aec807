# SPDX-License-Identifier: Apache-2.0
"""A taskmanager's name in a lease, and what it does again and again."""

import os
import types

from oslo_config import cfg

from trove import config
from trove.cloud.memory import MemoryCloud
from trove.cmd import taskmanager
from trove.db.session import Database


def test_the_owner_of_a_lease_is_unique_and_telling():
    first, second = taskmanager.owner_name(), taskmanager.owner_name()
    assert first != second
    assert f":{os.getpid()}:" in first
    assert len(first) < 255


def test_backups_are_made_by_themselves_where_there_is_a_store(tmp_path):
    conf = cfg.ConfigOpts()
    config.register(conf, *config.PROCESSES["taskmanager"])
    conf([], default_config_files=[])
    store = Database(f"sqlite:///{tmp_path}/trove.sqlite")
    around = types.SimpleNamespace(
        cloud=MemoryCloud(),
        database=store,
        guests=None,
        storage=None,
        settings=types.SimpleNamespace(store_authorities=""),
    )
    assert taskmanager.schedules(conf, store, around, print) == []
    assert taskmanager.archives(conf, around) == []
    around.storage = object()
    made = taskmanager.archives(conf, around)
    assert [part.name for part in made] == ["archives", "cutting"]
    conf.set_override("driver", "swift", "backup")
    made = taskmanager.schedules(conf, store, around, print)
    conf.clear_override("driver", "backup")
    assert [part.name for part in made] == ["schedules", "retention", "verifications"]
    store.close()
