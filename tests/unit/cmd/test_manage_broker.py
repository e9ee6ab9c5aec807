# SPDX-License-Identifier: Apache-2.0
"""trove-manage broker prepare, before anybody is asked."""

import pytest

from trove.cmd import manage


@pytest.mark.parametrize(
    ("rpc", "says"),
    [
        ("", "broker_url and guests_url are not set"),
        ("broker_url = http://b\nguests_url = trove-rabbit://u:p@b:1/", "virtual host"),
        ("broker_url = http://b\nguests_url = trove-rabbit://b:1//v", "a user"),
        (
            "broker_url = http://127.0.0.1:1\nbroker_password = canary\n"
            "guests_url = trove-rabbit://u:canary@b:1//v",
            "broker",
        ),
    ],
)
def test_what_cannot_be_prepared_is_said_in_a_sentence(tmp_path, capsys, rpc, says):
    conf = tmp_path / "trove.conf"
    conf.write_text(f"[rpc]\n{rpc}\n")
    assert manage.main(["--config-file", str(conf), "broker", "prepare"]) == 1
    said = capsys.readouterr()
    assert says in said.err and said.out == ""
    assert "canary" not in said.err and "Traceback" not in said.err
