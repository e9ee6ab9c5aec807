# SPDX-License-Identifier: Apache-2.0
import dataclasses
import pathlib

import pytest

from trove import errors
from trove.guestimage import builder, disk, filesystem, machinelayer
from trove.localcloud import guestimage, releases

ORDER = builder.Order(
    datastore="mariadb",
    version="10.11",
    release=releases.release("bookworm"),
    output=pathlib.Path("/nowhere/it.qcow2"),
)


@pytest.fixture
def order(tmp_path):
    return dataclasses.replace(ORDER, output=tmp_path / "out/it.qcow2")


@pytest.fixture
def made(tmp_path, host, monkeypatch):
    """The layers in small, and a disk of a few bytes."""
    store = tmp_path / "cache/images"
    kinds = ("agent", "rules", "site", "base", "machine")
    paths = {kind: store / f"{kind}-1" for kind in kinds}
    for path in paths.values():
        path.mkdir(parents=True)
    rules = paths["rules"] / "usr/share/trove/rules/mariadb.json"
    rules.parent.mkdir(parents=True)
    rules.write_text("{}\n")
    image = guestimage.GuestImage(tuple(paths[kind] for kind in kinds[:4]))
    monkeypatch.setattr(guestimage, "build", lambda *_, **__: image)
    monkeypatch.setattr(
        machinelayer,
        "make",
        lambda root, *_: (
            (root / "var/lib/dpkg").mkdir(parents=True)
            or (root / "var/lib/dpkg/status").touch()
        ),
    )
    monkeypatch.setattr(disk, "loader", lambda *_: b"core")
    monkeypatch.setattr(disk, "blank", lambda path, *_: path.write_bytes(b"raw"))
    monkeypatch.setattr(disk, "convert", lambda raw, to, _: to.write_bytes(b"qcow2"))
    monkeypatch.setattr(filesystem, "make", lambda *_: None)

    def copied(argv):
        source, target = map(pathlib.Path, argv[-2:])
        if source.is_file():
            target.write_bytes(source.read_bytes())
        elif (source / "var/lib/dpkg").is_dir():
            (target / "var/lib/dpkg").mkdir(parents=True)
            (target / "var/lib/dpkg/status").touch()
        return ""

    host.answers["cp "] = copied
    return tmp_path / "cache"


def test_an_image_has_a_label_a_bill_and_rules_beside_it(order, made, host):
    said = []
    label = builder.build(order, made, host, said.append)
    assert order.output.read_bytes() == b"qcow2"
    assert sorted(path.name for path in order.output.parent.iterdir()) == [
        "it.qcow2",
        "it.qcow2.json",
        "it.qcow2.rules.json",
        "it.qcow2.spdx.json",
    ]
    assert builder.Label.read(order.output) == label
    assert label.tags == ("trove", "mariadb", "10.11")
    assert label.sha256 == builder.sha256(order.output)
    assert not list((made / "images").glob(".disk-*"))
    assert len(said) == 3


def test_a_raw_disk_is_not_converted(order, made, host):
    builder.build(dataclasses.replace(order, format="raw"), made, host, print)
    assert order.output.read_bytes() == b"raw"


@pytest.mark.parametrize(
    "change", [{"key": "ssh-rsa A"}, {"size": 4 * 2**30}, {"cloud_init": False}]
)
def test_another_order_is_another_file_system(order, made, host, monkeypatch, change):
    seen = []
    monkeypatch.setattr(filesystem, "make", lambda *argv: seen.append(argv[4]))
    builder.build(order, made, host, print)
    builder.build(order, made, host, print)
    builder.build(dataclasses.replace(order, **change), made, host, print)
    assert seen[0] == seen[1] != seen[2]


def test_what_the_release_has_not_is_refused_with_what_it_has():
    wrong = dataclasses.replace(ORDER, version="9.9")
    with pytest.raises(errors.Invalid, match=r"has no mariadb 9\.9; .* mariadb 10\.11"):
        wrong.named  # noqa: B018


def test_a_label_that_is_none_is_refused(tmp_path):
    with pytest.raises(errors.Invalid, match="build"):
        builder.Label.read(tmp_path / "it")
    (tmp_path / "it.json").write_text('{"tags": []}')
    with pytest.raises(errors.Invalid, match="build"):
        builder.Label.read(tmp_path / "it")


def test_what_killed_builds_left_is_cleared_and_others_are_left_alone(tmp_path):
    left = tmp_path / ".disk-left/tree"
    left.mkdir(parents=True)
    (left / "file").write_text("of a build that was killed")
    with builder.workshop(tmp_path) as first:
        assert not left.exists()
        with builder.workshop(tmp_path) as second:
            assert first.is_dir() and second.is_dir() and first != second
        assert first.is_dir() and not second.exists()
    assert list(tmp_path.iterdir()) == []


def test_a_build_that_fails_leaves_nothing(tmp_path):
    with pytest.raises(ZeroDivisionError), builder.workshop(tmp_path) as work:
        (work / "tree").mkdir()
        raise ZeroDivisionError
    assert list(tmp_path.iterdir()) == []
