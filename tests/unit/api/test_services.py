# SPDX-License-Identifier: Apache-2.0
"""Options become settings: of a delete, what the operator has decided."""

from oslo_config import cfg

from trove import config
from trove.api import services


def settings(**overrides):
    conf = cfg.ConfigOpts()
    config.register(conf, *config.PROCESSES["api"])
    conf([], default_config_files=[])
    for name, value in overrides.items():
        group, _, option = name.partition("_")
        conf.set_override(option, value, group)
    return services.settings(conf)


def test_nothing_is_lost_by_a_click_unless_the_operator_says_so():
    said = settings()
    assert (said.recycle_days, said.recycle_by_default) == (3, True)
    assert said.final_by_default
    said = settings(
        recycle_days=0, recycle_by_default=False, backup_final_by_default=False
    )
    assert (said.recycle_days, said.recycle_by_default) == (0, False)
    assert not said.final_by_default
