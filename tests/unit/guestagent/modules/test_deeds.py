# SPDX-License-Identifier: Apache-2.0
"""Modules in a guest: the ping driver, others by entry point, and what is kept."""

import base64
import hashlib
import json

import pytest

from trove import errors
from trove.guestagent import identity
from trove.guestagent.modules import deeds, registry
from trove.guestagent.modules.ping import Ping
from trove.guestagent.modules.protocol import Module, ModuleRefused
from trove.guestagent.modules.shelf import Shelf
from trove.guestagent.state import StateError
from trove.rpc import codec, sealing
from trove.rpc.messages import ModuleOrder

GROUP = "trove.guestagent.modules"


INSTANCE = "11111111-2222-4333-8444-555555555555"


@pytest.fixture
def places(places, host):
    identity.ensure(places, host, INSTANCE)
    return places


@pytest.fixture
def stranger(tmp_path, monkeypatch):
    """A driver of somebody else's, installed beside this package."""
    (tmp_path / "site/stranger-1.dist-info").mkdir(parents=True)
    (tmp_path / "site/stranger-1.dist-info/entry_points.txt").write_text(
        f"[{GROUP}]\nfile = stranger:Driver\n"
    )
    (tmp_path / "site/stranger-1.dist-info/METADATA").write_text(
        "Metadata-Version: 2.1\nName: stranger\nVersion: 1\n"
    )
    (tmp_path / "site/stranger.py").write_text(f"""
import pathlib
from trove.guestagent.modules.protocol import ModuleRefused
THERE = pathlib.Path({str(tmp_path)!r}) / "there"

class Driver:
    def apply(self, module):
        if module.contents == b"secret bug":
            raise ZeroDivisionError(module.contents)
        THERE.write_bytes(module.contents)
        return f"{{module.datastore}} has {{module.name}}"

    def remove(self, module):
        if not THERE.exists():
            return "it was gone"
        if THERE.read_bytes() == b"sticky":
            raise ModuleRefused(why="it sticks")
        THERE.unlink()
        return "gone"
""")
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    return tmp_path / "there"


def order(places, contents, type="ping", id="m-1"):
    key = identity.load(places).public_key
    plain = base64.b64encode(contents).decode()
    return {
        "module": codec.encode(
            ModuleOrder(
                id=id,
                name="hello",
                type=type,
                md5=hashlib.md5(contents, usedforsecurity=False).hexdigest(),
                sealed=sealing.seal(key, {"contents": plain}),
            )
        )
    }


def test_ping_answers_with_its_message(places):
    said = deeds.apply(places, "mariadb", order(places, b"message = Hello, you\n"))
    assert said == {"applied": True, "message": "Hello, you"}
    (shown,) = Shelf(places).shown()
    assert (shown.id, shown.status, shown.message) == ("m-1", "OK", "Hello, you")
    assert len(shown.md5) == 32
    removed = deeds.remove(places, "mariadb", order(places, b""))
    assert removed == {"applied": False, "message": "removed"}
    assert Shelf(places).shown() == ()
    assert deeds.remove(places, "mariadb", order(places, b""))["applied"] is False


@pytest.mark.parametrize(
    "contents",
    [
        b"",
        b"\xff\xfe",
        b"greeting = Hello",
        b"message =",
        b"message = a\n  b",
        b"[ping\nmessage = x",
        b"message = \x1b[2J",
        b"message = " + b"x" * 2000,
    ],
)
def test_ping_refuses_what_is_no_message(places, contents):
    said = deeds.apply(places, "mariadb", order(places, contents))
    assert said["applied"] is False
    assert "message" in said["message"]
    (shown,) = Shelf(places).shown()
    assert (shown.status, shown.md5) == ("ERROR", "")


def test_what_is_refused_leaves_what_was_applied(places):
    deeds.apply(places, "mariadb", order(places, b"message = one"))
    (before,) = Shelf(places).shown()
    deeds.apply(places, "mariadb", order(places, b"nothing"))
    (after,) = Shelf(places).shown()
    assert (after.status, after.md5) == ("ERROR", before.md5)


def test_a_driver_is_found_by_entry_point(places, stranger):
    said = deeds.apply(places, "postgresql", order(places, b"x", "file"))
    assert said == {"applied": True, "message": "postgresql has hello"}
    assert stranger.read_bytes() == b"x"
    assert deeds.remove(places, "postgresql", order(places, b"", "file")) == {
        "applied": False,
        "message": "gone",
    }
    assert not stranger.exists()


def test_what_cannot_be_taken_away_is_still_there(places, stranger):
    deeds.apply(places, "mariadb", order(places, b"sticky", "file"))
    said = deeds.remove(places, "mariadb", order(places, b"", "file"))
    assert said == {"applied": True, "message": "it sticks"}
    (shown,) = Shelf(places).shown()
    assert (shown.status, shown.message) == ("ERROR", "it sticks")


def test_a_type_without_a_driver_is_refused_and_says_so(places):
    said = deeds.apply(places, "mariadb", order(places, b"x", "nosuch"))
    assert said["applied"] is False
    assert "no driver for modules of type nosuch" in said["message"]
    with pytest.raises(ModuleRefused):
        registry.load("nosuch")


def test_a_driver_that_breaks_is_the_jobs_business(places, stranger):
    with pytest.raises(ZeroDivisionError):
        deeds.apply(places, "mariadb", order(places, b"secret bug", "file"))
    assert Shelf(places).shown() == ()


def test_what_was_sealed_for_another_opens_nothing(places):
    asked = order(places, b"message = x")
    asked["module"]["sealed"] = sealing.seal(sealing.keypair()[1], {"contents": "eA=="})
    with pytest.raises(errors.Invalid):
        deeds.apply(places, "mariadb", asked)
    asked["module"]["sealed"] = sealing.seal(
        identity.load(places).public_key, {"contents": "no base64!"}
    )
    with pytest.raises(errors.Invalid):
        deeds.apply(places, "mariadb", asked)


def test_the_contents_are_not_kept(places):
    deeds.apply(places, "mariadb", order(places, b"message = x\npassword = hunter2"))
    kept = places.modules.read_text()
    assert "hunter2" not in kept
    assert places.modules.stat().st_mode & 0o777 == 0o600
    assert "hunter2" not in repr(Module("i", "n", "t", "d", b"hunter2"))
    assert Ping().remove(Module("i", "n", "ping", "mariadb"))


def test_a_shelf_that_says_something_else_is_told_of(places):
    places.modules.write_text(json.dumps({"m-1": {"id": "m-1", "strange": 1}}))
    with pytest.raises(StateError):
        Shelf(places).shown()
