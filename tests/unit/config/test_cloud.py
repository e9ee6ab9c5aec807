# SPDX-License-Identifier: Apache-2.0
"""The cloud's options become what the registry takes."""

import pytest
from oslo_config import cfg

from trove import config
from trove.cloud import registry
from trove.config import cloud


@pytest.fixture
def conf():
    conf = cfg.ConfigOpts()
    config.register(conf, "cloud")
    conf([], default_config_files=[])
    return conf


@pytest.mark.parametrize("name", ["memory", "openstack"])
def test_options_connect_a_cloud(conf, name):
    conf.set_override("name", name, "cloud")
    assert registry.connect(**cloud.arguments(conf)).volumes is not None


def test_a_deployment_that_does_not_fit_a_tag_is_refused(conf):
    with pytest.raises(ValueError):
        conf.set_override("deployment", "x" * 44, "cloud")


def test_passwords_are_secret():
    secrets = {opt.name for opt in cloud.OPTS if opt.secret}
    assert secrets == {
        "password",
        "application_credential_secret",
        "notifications_url",
    }
