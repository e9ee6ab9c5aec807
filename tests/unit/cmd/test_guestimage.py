# SPDX-License-Identifier: Apache-2.0
import pytest

from trove.cmd import guestimage
from trove.guestimage import builder, glance, needs

BUILD = ["build", "--output", "it.qcow2", "--datastore", "mariadb", "--version"]


@pytest.fixture
def built(monkeypatch):
    """What would have been built."""
    seen = []

    def build(order, cache, host, progress):
        seen.append(order)
        progress("working")
        name, tags = order.named
        return builder.Label(
            name=name,
            tags=tags,
            format=order.format,
            release=order.release.suite,
            sha256="ab",
            bytes=2**20,
            virtual=order.size,
            secure_shell=order.key is not None,
        )

    monkeypatch.setattr(builder, "build", build)
    monkeypatch.setattr(needs, "check", lambda: None)
    return seen


@pytest.mark.parametrize("command", [[], ["build"], ["upload"]])
def test_help(command, capsys):
    with pytest.raises(SystemExit) as ended:
        guestimage.main([*command, "--help"])
    assert ended.value.code == 0
    assert "mariadb 10.11" in capsys.readouterr().out or command != ["build"]


@pytest.mark.parametrize(
    ("version", "release"), [("10.11", "bookworm"), ("11.8", "trixie")]
)
def test_the_debian_is_the_one_that_has_the_version(built, capsys, version, release):
    assert guestimage.main([*BUILD, version]) == 0
    [order] = built
    assert order.release.suite == release
    said = capsys.readouterr().out
    assert "working" in said
    assert f"register mariadb {version} --manager mariadb" in said
    assert f"--image-tags trove,mariadb,{version}" in said
    assert f"parameters load mariadb {version} " in said


@pytest.mark.parametrize(
    "more",
    [
        ["9.9"],
        ["10.11", "--release", "trixie"],
        ["10.11", "--size", "1M"],
        ["10.11", "--ssh-key", "key"],
    ],
)
def test_what_cannot_be_built_is_refused(built, capsys, tmp_path, monkeypatch, more):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "key").write_text("-----BEGIN OPENSSH PRIVATE KEY-----")
    assert guestimage.main([*BUILD, *more]) == 2
    assert capsys.readouterr().err.startswith("trove-guest-image: ")
    assert built == []


def test_a_key_is_for_looking_and_says_so(built, capsys, tmp_path):
    (tmp_path / "key.pub").write_text("ssh-ed25519 AAAA me\n")
    assert guestimage.main([*BUILD, "10.11", "--ssh-key", f"{tmp_path}/key.pub"]) == 0
    assert built[0].key == "ssh-ed25519 AAAA me\n"
    assert "not for production" in capsys.readouterr().out


def test_a_file_that_is_not_there_is_an_error(capsys, tmp_path):
    assert guestimage.main(["upload", str(tmp_path / "none")]) == 2
    assert "build" in capsys.readouterr().err


class Found:
    name, id = "older", "7"


@pytest.fixture
def image(tmp_path):
    path = tmp_path / "it.qcow2"
    path.write_bytes(b"disk")
    builder.Label(
        name="trove-mariadb-10.11",
        tags=("trove", "mariadb", "10.11"),
        format="qcow2",
        release="bookworm",
        sha256=builder.sha256(path),
        bytes=4,
        virtual=3 * 2**30,
        secure_shell=False,
    ).write(path)
    return path


def test_what_glance_has_is_not_uploaded_again(image, capsys, monkeypatch):
    monkeypatch.setattr(glance, "connect", lambda: None)
    monkeypatch.setattr(glance, "find", lambda *_: Found)
    monkeypatch.setattr(glance, "upload", lambda *_: pytest.fail("uploaded"))
    assert guestimage.main(["upload", str(image)]) == 0
    assert "already: older 7" in capsys.readouterr().out


def test_what_it_has_not_is_uploaded_under_its_name(image, capsys, monkeypatch):
    asked = []
    monkeypatch.setattr(glance, "connect", lambda: None)
    monkeypatch.setattr(glance, "find", lambda *_: None)
    monkeypatch.setattr(glance, "upload", lambda *argv: asked.append(argv) or Found)
    assert guestimage.main(["upload", str(image), "--public"]) == 0
    assert asked[0][3:] == ("trove-mariadb-10.11", True)
    assert "trove,mariadb,10.11" in capsys.readouterr().out


def test_a_file_that_was_changed_is_refused(image, capsys):
    image.write_bytes(b"other")
    assert guestimage.main(["upload", str(image)]) == 2
    assert "build it again" in capsys.readouterr().err


def test_where_there_is_no_cloud_it_fails_in_a_sentence(image, capsys, monkeypatch):
    def connect():
        raise glance.Missing(why="nothing is set")

    monkeypatch.setattr(glance, "connect", connect)
    assert guestimage.main(["upload", str(image)]) == 1
    assert "clouds.yaml" in capsys.readouterr().err
