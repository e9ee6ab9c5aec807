# SPDX-License-Identifier: Apache-2.0
"""Options: registered by name, listed for samples, every one explained."""

import pytest
from oslo_config import cfg

from trove import config


def test_every_option_says_what_it_is_for():
    silent = [
        f"{group}.{option.name}"
        for group, options in config.list_opts()
        for option in options
        if not option.help
    ]
    assert silent == []


def test_every_group_of_a_process_exists():
    asked = {name for names in config.PROCESSES.values() for name in names}
    assert asked <= set(config.groups())


def test_registering_twice_does_no_harm():
    conf = cfg.ConfigOpts()
    config.register(conf, "service", "listen")
    config.register(conf, "listen")
    conf([], project="trove-test", default_config_files=[])
    assert conf.listen.port == 8779
    assert conf.drain_time == 60


@pytest.mark.parametrize("process", ["api", "taskmanager", "conductor", "guestagent"])
def test_a_process_lists_its_own(process):
    listed = getattr(config, f"list_{process}_opts")()
    assert len(listed) == len(config.PROCESSES[process])


def test_a_process_can_parse_its_options_again(tmp_path):
    file = tmp_path / "trove.conf"
    conf = cfg.ConfigOpts()
    for port in (1111, 2222):
        file.write_text(f"[listen]\nport = {port}\n")
        config.parse("api", ["--config-file", str(file)], conf)
        assert conf.listen.port == port
