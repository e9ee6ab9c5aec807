# SPDX-License-Identifier: Apache-2.0
"""Tests of trove/guestagent/addresses.py: put on, kept on, told to the neighbours."""

import socket

import pytest

from trove.datastores.protocol import Ran
from trove.guestagent import addresses
from trove.guestagent.addresses import Addresses
from trove.guestagent.host import HostError

MAC = "fa:16:3e:00:00:07"
FIRST, SECOND = "10.9.0.50", "10.9.0.51"


class Machine:
    """A host whose ``ip`` program knows one card."""

    def __init__(self):
        self.on = ["10.9.0.7/24"]
        self.broken = False

    def run(self, words, timeout):
        if self.broken:
            raise HostError("ip", 2, "no")
        if "show" in words:
            lines = (f"2: eth0    inet {one} scope global eth0" for one in self.on)
            return Ran(0, "\n".join(lines), "")
        assert words[:3] == ["ip", "addr", "replace"]
        assert words[4:] == ["dev", "eth0"]
        self.on.append(words[3])
        return Ran(0, "", "")


@pytest.fixture
def cards(tmp_path):
    for name, mac in (("eth0", MAC.upper()), ("lo", "00:00:00:00:00:00")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "address").write_text(f"{mac}\n")
    (tmp_path / "bonding_masters").write_text("")  # no card, but it lies there
    return tmp_path


class Scene:
    def __init__(self, cards):
        self.machine, self.said = Machine(), []
        self.part = Addresses(
            self.machine,
            MAC,
            [FIRST, SECOND],
            cards=cards,
            say=lambda *about: self.said.append(about),
        )


@pytest.fixture
def scene(cards):
    return Scene(cards)


def test_they_are_put_on_the_card_of_the_port(scene):
    assert scene.part.look() == addresses.APART
    assert scene.machine.on == ["10.9.0.7/24", f"{FIRST}/32", f"{SECOND}/32"]
    assert scene.said == [("eth0", MAC, FIRST), ("eth0", MAC, SECOND)]
    assert scene.part.fault == ""


def test_they_are_announced_a_few_times_and_put_on_once(scene):
    pauses = [scene.part.look() for _ in range(5)]
    assert pauses == [addresses.APART] * 2 + [addresses.EVERY] * 3
    assert len(scene.machine.on) == 3
    assert len(scene.said) == 2 * addresses.ANNOUNCED


def test_what_took_them_off_is_made_good(scene):
    while scene.part.look() < addresses.EVERY:
        pass
    scene.said.clear()
    scene.machine.on.remove(f"{SECOND}/32")
    scene.part.look()
    assert f"{SECOND}/32" in scene.machine.on
    assert ("eth0", MAC, SECOND) in scene.said


def test_what_cannot_be_is_told_and_tried_again(scene, cards):
    scene.machine.broken = True
    assert scene.part.look() == addresses.APART
    assert FIRST in scene.part.fault
    scene.machine.broken = False
    (cards / "eth0" / "address").unlink()
    scene.part.look()
    assert MAC in scene.part.fault
    (cards / "eth0" / "address").write_text(MAC)
    scene.part.look()
    assert scene.part.fault == "" and f"{FIRST}/32" in scene.machine.on


def test_a_frame_that_is_not_sent_is_no_crash(scene):
    def away(*about):
        raise OSError("the network is down")

    scene.part._say = away
    scene.part.look()
    assert "network is down" in scene.part.fault


def test_it_is_a_part(scene):
    scene.part.start()
    assert f"{FIRST}/32" in scene.machine.on, "before anything else begins"
    assert scene.part.alive()
    assert scene.part.stop(1.0)
    assert not scene.part.alive()


def test_the_frame_says_who_has_the_address_and_asks_for_it():
    frame = addresses.claim(MAC, FIRST)
    own, ip = bytes.fromhex(MAC.replace(":", "")), socket.inet_aton(FIRST)
    assert frame[:14] == b"\xff" * 6 + own + b"\x08\x06"
    assert frame[22:] == own + ip + b"\0" * 6 + ip
    assert len(frame) == 42
