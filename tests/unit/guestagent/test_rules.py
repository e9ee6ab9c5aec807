# SPDX-License-Identifier: Apache-2.0
"""The command that has an image say what its engine takes."""

import json

import pytest

from trove.datastores import rules as files
from trove.datastores.protocol import Ran
from trove.guestagent import rules


class Host:
    """A machine on which nothing runs but what is told here."""

    said = (
        '{"name": "server_version", "vartype": "string", "context": "internal", '
        '"value": "15.18"}\n'
        '{"name": "work_mem", "vartype": "integer", "context": "user", "unit": "kB", '
        '"enumvals": null, "min_val": "64", "max_val": "2147483647"}\n'
        '{"name": "archive_command", "vartype": "string", "context": "sighup", '
        '"unit": null, "enumvals": null}\n'
    )

    def path(self, path):
        return path

    def remove(self, path):
        pass

    def make_directory(self, path, **how):
        pass

    def run(self, argv, **how):
        if self.said is None:
            raise FileNotFoundError("postgres")
        return Ran(0, self.said, "")


def test_of_what_the_engine_has_the_policy_is_written(capsys):
    assert rules.main(["postgresql"], Host()) == 0
    said = files.read(capsys.readouterr().out, "stdout")
    assert (said.datastore, said.engine) == ("postgresql", "15.18")
    assert said.rules == {
        "work_mem": {
            "type": "integer",
            "restart_required": False,
            "min": 64,
            "max": 2147483647,
            "unit": "kB",
        }
    }


def test_without_the_engine_it_fails_in_a_sentence(capsys):
    host = Host()
    host.said = None
    assert rules.main(["postgresql"], host) == 1
    out, err = capsys.readouterr()
    assert out == "" and err == "trove-guestagent: postgres\n"


def test_another_datastore_is_refused(capsys):
    with pytest.raises(SystemExit):
        rules.main(["oracle"], Host())
    assert json.dumps("oracle").strip('"') in capsys.readouterr().err
