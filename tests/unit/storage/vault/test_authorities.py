# SPDX-License-Identifier: Apache-2.0
"""The certificates that guests are told of: which, how many, and nothing else."""

import pytest
from oslo_config import cfg

from trove import config
from trove.config import backup
from trove.service.certificates import Authority
from trove.storage.vault import authorities
from trove.storage.vault.authorities import LARGEST, NoAuthorities, told


@pytest.fixture(scope="module")
def pems(tmp_path_factory):
    top = tmp_path_factory.mktemp("ca")
    return [Authority.create(top / name).ca_pem.strip() + "\n" for name in "ab"]


@pytest.fixture
def files(tmp_path, pems):
    made = []
    for name, text in zip("ab", pems, strict=True):
        (tmp_path / name).write_text(f"# Ünser: {name}\n{text}")
        made.append(str(tmp_path / name))
    return made


def test_what_is_named_goes_before_what_is_ours(files, pems):
    assert told(files[0], files[1]) == pems[0]
    assert told(None, files[1], None) == pems[1]
    assert told(None, *files, *files) == "".join(pems)
    assert told(None, None) == told("") == ""


def test_nothing_but_certificates_is_told(tmp_path, pems):
    key = "-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----\n"
    (tmp_path / "both").write_text(pems[0] + key + "and a word\n" + pems[1])
    assert told(str(tmp_path / "both")) == "".join(pems)


def broken(path, pem):
    (path / "empty").write_text("")
    (path / "spoilt").write_text(pem.replace(pem[40:60], "A" * 20))
    (path / "many").write_text(pem * (LARGEST // len(pem) + 1))
    (path / "directory").mkdir()


@pytest.mark.parametrize(
    "name, why",
    [
        ("none", "FileNotFoundError"),
        ("directory", "IsADirectoryError"),
        ("empty", "none in it"),
        ("many", "more than"),
        ("spoilt", "SSLError"),
    ],
)
def test_what_cannot_be_used_is_said_at_once(name, why, tmp_path, files, pems, caplog):
    broken(tmp_path, pems[0])
    with pytest.raises(NoAuthorities, match=why):
        told(str(tmp_path / name))
    # of ours it was not said that it is for guests: a list of all public ones is usual
    assert told(None, str(tmp_path / name), files[1]) == pems[1]
    assert why in caplog.text


def test_the_options_that_name_them(files, pems):
    conf = cfg.ConfigOpts()
    config.register(conf, "backup", "cloud")
    conf([], project="trove-test", default_config_files=[])
    try:
        conf.set_override("cafile", files[0], "backup")
        conf.set_override("cafile", files[1], "cloud")
        assert authorities.told(*backup.authorities(conf)) == "".join(pems)
        conf.set_override("guests_cafile", files[1], "backup")
        assert authorities.told(*backup.authorities(conf)) == pems[1]
    finally:  # of groups that every ConfigOpts of this process shares
        for name, group in (
            ("cafile", "backup"),
            ("guests_cafile", "backup"),
            ("cafile", "cloud"),
        ):
            conf.clear_override(name, group)
