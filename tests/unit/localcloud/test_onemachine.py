# SPDX-License-Identifier: Apache-2.0
"""One machine's options and processes are consistent, and keep their secrets."""

import configparser
import pathlib

import pytest

from trove.localcloud import onemachine
from trove.localcloud.layout import Layout
from trove.service.supervisor import Supervisor


@pytest.fixture
def place(tmp_path):
    place = Layout(state=tmp_path, cache=tmp_path / "cache", tag="t", ports=40000)
    for folder in (place.etc, place.run, place.log):
        folder.mkdir()
    return place


def test_what_is_written_is_read_back_as_it_was():
    text = onemachine.render({"a": {"password": "pa$$wo$rd %s", "number": 7}})
    parser = configparser.ConfigParser(interpolation=None)
    parser.read_string(text)
    # oslo.config takes one dollar for the beginning of another option's name
    assert parser["a"]["password"] == "pa$$$$wo$$rd %s"
    assert parser["a"]["number"] == "7"


def test_the_plan_can_be_supervised(place):
    plan = onemachine.write_plan(place, pathlib.Path("/keystone"))
    assert plan.stat().st_mode & 0o077 == 0
    programs = onemachine.programs(place, pathlib.Path("/keystone"))
    Supervisor(programs, place.run, place.log)
    names = [program.name for program in programs]
    assert names.index("localcloud") < names.index("rabbitmq") < names.index("api")


def test_no_secret_is_an_argument(place):
    options = onemachine.options(place)
    secrets = {
        options["trove"]["rpc"]["broker_password"],
        options["trove"]["cloud"]["password"],
    }
    for program in onemachine.programs(place, pathlib.Path("/keystone")):
        told = " ".join([*program.argv, *program.env.values()])
        assert not any(secret in told for secret in secrets)


def test_every_option_written_is_one_that_the_process_knows(place, tmp_path):
    from oslo_config import cfg

    from trove import config

    known = {
        (group.name if group else "DEFAULT", option.dest)
        for group, options in config.list_opts()
        for option in options
    }
    others = {"keystone_authtoken", "oslo_concurrency"}
    for sections in onemachine.options(place).values():
        for section, values in sections.items():
            if section not in others:
                assert {(section, name) for name in values} <= known
    conf = cfg.ConfigOpts()
    assert conf is not cfg.CONF
