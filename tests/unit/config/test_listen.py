# SPDX-License-Identifier: Apache-2.0
"""The API's listener is made of its options."""

from oslo_config import cfg

from trove import config
from trove.config import listen
from trove.service.wsgiserver import Listen


def test_every_argument_has_an_option(tmp_path):
    conf = cfg.ConfigOpts()
    config.register(conf, "service", "listen")
    file = tmp_path / "trove.conf"
    file.write_text("[listen]\nport = 1234\nworkers = 3\n[DEFAULT]\ndrain_time = 7\n")
    conf(["--config-file", str(file)], project="trove-test")
    made = Listen(**listen.arguments(conf))
    assert (made.host, made.port, made.workers) == ("127.0.0.1", 1234, 3)
    assert made.drain == 7.0
    assert made.tls() is None
