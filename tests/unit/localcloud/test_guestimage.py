# SPDX-License-Identifier: Apache-2.0
import dataclasses
import pathlib

import pytest

from trove import errors
from trove.datastores import registry, rules
from trove.datastores.spec import Build
from trove.localcloud import guestimage, releases


def unpacked(argv):
    """What mmdebstrap would leave, in small."""
    root = pathlib.Path(argv[-2])
    for name in (
        "etc/systemd/system/multi-user.target.wants",
        "etc/apt/sources.list.d",
        *guestimage.EMPTIED,
        "var/lib/mysql",
        "var/lib/postgresql",
    ):
        (root / name).mkdir(parents=True, exist_ok=True)
    wanted = root / "etc/systemd/system/multi-user.target.wants/mariadb.service"
    wanted.unlink(missing_ok=True)
    wanted.symlink_to("/lib/systemd/system/that-this-host-has-not.service")
    (root / "etc/apt/sources.list.d/mirror.sources").touch(exist_ok=False)
    (root / "etc/hostname").touch()
    (root / "var/lib/mysql/ibdata1").touch()
    (root / "usr/lib/x86_64-linux-gnu").mkdir(parents=True, exist_ok=True)
    (root / "usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2").touch()
    (root / "dev").mkdir(exist_ok=True)
    (root / "dev/null").touch(exist_ok=False)  # as mknod: it takes none that is there
    return ""


def told(argv):
    """What an agent in it would print, in small."""
    return rules.write(argv[-1], "1.0", {})


def build(tmp_path, host, monkeypatch):
    sources = tmp_path / "debian.sources"
    sources.write_text("Types: deb\n")
    monkeypatch.setattr(guestimage, "SOURCES", (sources,))
    host.answers["mmdebstrap"] = unpacked
    host.answers["trove.cmd.guestagent rules"] = told
    said = []
    return guestimage.build(tmp_path / "cache", host, said.append), said


def test_an_image_is_four_layers_built_once(tmp_path, host, monkeypatch):
    image, said = build(tmp_path, host, monkeypatch)
    kinds = [layer.name.partition("-")[0] for layer in image.layers]
    assert kinds == ["agent", "rules", "site", "base"]
    assert len(said) == 5
    again, said = build(tmp_path, host, monkeypatch)
    assert again == image
    assert said == []


def test_no_engine_starts_by_itself_and_no_mirror_is_named(tmp_path, host, monkeypatch):
    image, _ = build(tmp_path, host, monkeypatch)
    base = image.layers[-1]
    units = base / "etc/systemd/system"
    assert not (units / "multi-user.target.wants/mariadb.service").is_symlink()
    assert (units / "getty.target").readlink() == pathlib.Path("/dev/null")
    assert list((base / "etc/apt/sources.list.d").iterdir()) == []
    assert list((base / "var/lib/mysql").iterdir()) == []
    assert (base / "etc/machine-id").read_text() == ""


def test_an_image_says_itself_what_its_engines_take(tmp_path, host, monkeypatch):
    image, _ = build(tmp_path, host, monkeypatch)
    for name in ("mariadb", "postgresql"):
        path = image.rules(name)
        assert path == image.layers[1] / "usr/share/trove/rules" / f"{name}.json"
        assert rules.read(path.read_text(), "f").datastore == name
    with pytest.raises(errors.Invalid, match="no rules of toydb"):
        image.rules("toydb")
    asked = [argv for argv in host.asked if argv[-2:-1] == ("rules",)]
    assert [argv[0] for argv in asked] == ["unshare", "unshare"]
    assert all("--net" in argv for argv in asked), "without a network"
    below = ":".join(str(image.layers[index]) for index in (0, 2, 3))
    assert all(below in argv for argv in asked)
    assert [path.name for path in image.layers[1].iterdir()] == ["usr"]


def test_an_engine_that_does_not_answer_leaves_no_layer(tmp_path, host, monkeypatch):
    monkeypatch.setitem(host.answers, "rules postgresql", "no JSON")
    with pytest.raises(errors.Invalid, match="postgresql is no file"):
        build(tmp_path, host, monkeypatch)
    kinds = {
        path.name.partition("-")[0]
        for path in (tmp_path / "cache/images").glob("[a-z]*")
    }
    assert kinds == {"agent", "site", "base"}


def test_the_agent_starts_at_boot(tmp_path, host, monkeypatch):
    image, _ = build(tmp_path, host, monkeypatch)
    agent = image.layers[0]
    wants = agent / "etc/systemd/system/multi-user.target.wants"
    assert (wants / "trove-guestagent.service").is_symlink()
    assert (agent / "opt/trove/site/trove/errors.py").exists()
    [described] = (agent / "opt/trove/site").glob("*.dist-info")
    assert "trove-rabbit" in (described / "entry_points.txt").read_text()


def watched(host, monkeypatch):
    """The words and the sources that each mmdebstrap is given."""
    given = []
    run = host.run

    def watching(*argv, **how):
        if argv[0] == "mmdebstrap":
            given.append((argv, how["given"]))
        return run(*argv, **how)

    monkeypatch.setattr(host, "run", watching)
    return given


SOURCES = """\
Types: deb
URIs: http://mirror/debian
Suites: bookworm bookworm-updates bookworm-backports
Components: main

Types: deb
URIs: http://mirror/security
Suites: bookworm-security
Components: main
"""
LINES = """\
deb http://mirror/debian bookworm main
deb http://mirror/debian bookworm-updates main
deb http://mirror/security bookworm-security main
"""


@pytest.mark.parametrize(
    "text, later",
    [
        (
            SOURCES,
            "Types: deb\nURIs: http://mirror/debian\nSuites: sid\nComponents: main\n",
        ),
        (LINES, "deb http://mirror/debian sid main\n"),
    ],
)
def test_what_comes_from_a_suite_that_moves_on_has_no_updates_beside_it(
    tmp_path, host, monkeypatch, text, later
):
    build(tmp_path, host, monkeypatch)
    (tmp_path / "os-release").write_text("VERSION_CODENAME=bookworm\n")
    monkeypatch.setattr(guestimage, "OS_RELEASE", tmp_path / "os-release")
    (tmp_path / "debian.sources").write_text(text)
    newer = dataclasses.replace(
        registry.get("mariadb"),
        builds=(Build("99", "trixie", ("adduser",), later=("mariadb-server",)),),
    )
    (release,) = releases.releases([newer])
    given = watched(host, monkeypatch)
    host.answers["apt-config"] = 'Acquire::Check-Valid-Until "false";\n'
    there = iter(("libc6 2.41 glibc\nsed 4 sed\n", "libc6 2.43 glibc\nsed 4 sed\n"))
    host.answers["dpkg-query"] = lambda argv: next(there)
    built = guestimage.build(tmp_path / "cache", host, [].append, release=release)
    (first, sources), (second, newest) = given
    assert "trixie" in first and sources == text.replace("bookworm", "trixie")
    assert {"sid", "--variant=custom", "--include=mariadb-server"} <= set(second)
    assert newest == later
    old = '--aptopt=Acquire::Check-Valid-Until "false";'
    assert old in second and old not in first, "as this host's own apt says of it"
    # what a machine needs besides is of the release, but for what is of glibc, too
    base = built.layers[-1]
    kept = (base / guestimage.KEPT).read_text()
    assert "Package: src:glibc\n" in kept and "sed" not in kept
    host.answers["mmdebstrap"] = ""
    guestimage.install(base, "trixie", ["kernel"], host, variant="custom")
    third, both = given[2]
    assert {"trixie", "--include=kernel", old} <= set(third)
    assert both == f"{sources}\n{newest}"


def test_another_release_is_another_image_from_the_same_mirror(
    tmp_path, host, monkeypatch
):
    first, _ = build(tmp_path, host, monkeypatch)
    release = tmp_path / "os-release"
    release.write_text('NAME="Debian"\nVERSION_CODENAME=bookworm\n')
    monkeypatch.setattr(guestimage, "OS_RELEASE", release)
    sources = tmp_path / "debian.sources"
    mirror = "URIs: http://mirror/debian\nSuites: {0} {0}-updates\n"
    sources.write_text(mirror.format("bookworm"))
    given = watched(host, monkeypatch)
    trixie = guestimage.build(
        tmp_path / "cache", host, [].append, release=releases.release("trixie")
    )
    ((argv, sources_given),) = given
    assert "trixie" in argv
    assert sources_given == mirror.format("trixie")
    assert trixie.name != first.name
    both = {("trove", "mariadb", "11.8"), ("trove", "postgresql", "17")}
    assert both <= {tags for _, tags in trixie.names}
