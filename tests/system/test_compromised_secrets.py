# SPDX-License-Identifier: Apache-2.0
"""What whoever is root in a guest can learn, and make others believe.

Every secret that this deployment made is a text of its own, so each can be looked for:
those of the control plane in the guest, and all of them wherever things are written.
"""

import base64
import contextlib
import json
import pathlib
import sqlite3
import subprocess
import threading

import amqp
import pytest

from tests.system.attacks import broker, canary
from tests.system.deployment import until
from trove.localcloud import rabbitmq
from trove.rpc import sealing

pytestmark = [pytest.mark.root, pytest.mark.localcloud]

TOKENS = "gAAAAA[A-Za-z0-9_-]{60,}|OS_PASSWORD|OS_TOKEN|X-Auth-Token:|auth_url *[=:]"
"""A Fernet token, or what credentials for OpenStack are usually kept as."""


@pytest.fixture(scope="module", name="secrets")
def all_of_them(pair):
    place = pair.deployment.place
    return canary.of_the_control_plane(place) | canary.of_the_guests(pair)


@pytest.fixture(scope="module", name="top")
def root_of_the_attacker(pair):
    """Its root file system with what is mounted there, seen from the host."""
    name = pair.deployment.container(pair.attacker)
    servers = str(pair.deployment.place.cloud / "servers")
    done = subprocess.run(
        ["lxc-info", "-P", servers, "-n", name, "-p", "-H"],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return pathlib.Path("/proc") / done.stdout.strip() / "root"


def grep(*argv):
    """The files with a match; none is an answer too."""
    done = subprocess.run(
        ["grep", "-rl", "--devices=skip", *argv],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode in (0, 1, 2), done.stderr
    return done.stdout.splitlines()


# -- what is to be found in a guest ----------------------------------------------------


def test_no_secret_of_another_is_on_a_guests_disk(pair, top, tmp_path):
    """Use OpenStack, see tokens: every file of the guest, its volume among them.

    The agent's own password is found, so the search would have found the others.
    """
    foreign = canary.of_the_control_plane(pair.deployment.place)
    victim = pair.identity(pair.victim)
    foreign |= {name: victim[name].encode() for name in ("password", "private_key")}
    wanted = tmp_path / "wanted"
    wanted.touch(0o600)
    wanted.write_bytes(b"\n".join(foreign.values()) + b"\n")
    everything = ("--exclude-dir=proc", "--exclude-dir=sys", str(top))
    assert grep("-F", "-f", str(wanted), *everything) == []
    wanted.write_text(pair.identity(pair.attacker)["password"])
    found = grep("-F", "-f", str(wanted), str(top / "var/lib/trove-guest"))
    assert [pathlib.Path(path).name for path in found] == ["identity.json"]


def test_no_credential_of_openstack_is_in_a_guest(pair, top):
    """Use OpenStack, see tokens: nothing of its kind where such things are kept."""
    kept = [top / name for name in ("etc", "root", "home", "run", "tmp", "var/lib")]
    kept = [str(path) for path in kept if path.exists()]
    assert grep("-I", "-E", TOKENS, *kept) == []


def test_no_secret_of_another_is_in_a_guests_processes(pair):
    """Use OpenStack, see tokens: environments and arguments, and the agent's memory."""
    name = pair.deployment.container(pair.attacker)
    foreign = canary.of_the_control_plane(pair.deployment.place)
    foreign["victim's"] = pair.identity(pair.victim)["password"].encode()
    own = pair.identity(pair.attacker)["password"].encode()
    agents = 0
    for process in processes_of(name):
        said = (process / "cmdline").read_bytes()
        for part in (said, (process / "environ").read_bytes()):
            assert canary.hits(foreign | {"own": own}, iter([("it", part)])) == []
        if b"guestagent" in said:
            agents += 1
            memory = list(pages(process))
            assert canary.hits(foreign, iter(memory)) == []
            assert canary.hits({"own": own}, iter(memory)), "it looked at nothing"
    assert agents


def processes_of(container):
    for process in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            if container in (process / "cgroup").read_text():
                yield process
        except OSError:
            continue  # it has ended


def pages(process):
    """The writable memory of a process."""
    with (process / "mem").open("rb", buffering=0) as memory:
        for line in (process / "maps").read_text().splitlines():
            span, rights, *_ = line.split()
            if not rights.startswith("rw"):
                continue
            low, high = (int(end, 16) for end in span.split("-"))
            memory.seek(low)
            try:
                yield span, memory.read(high - low)
            except OSError:
                continue


# -- what is left behind anywhere ------------------------------------------------------


def test_no_secret_is_written_anywhere(pair, secrets):
    """S1, INV-17: 0 hits in logs, consoles, arguments, dumps, answers.

    Not looked at: the files that hold them, each 0600 (``test_secrets_are_roots``).
    """
    place = pair.deployment.place
    both = (pair.attacker, pair.victim)
    for places in (
        canary.logs(place),
        canary.consoles(place),
        canary.commands(),
        canary.databases(place),
        canary.answers(pair),
        canary.journals(pair.deployment, *both),
    ):
        assert canary.hits(secrets, places) == []


def test_secrets_are_roots(pair):
    """S1: the files that must hold them are nobody else's, on both sides."""
    place = pair.deployment.place
    for path in (
        place.etc / "broker.json",
        place.etc / "passwords.json",
        place.etc / "seal-keys",
        place.etc / "signing-key",
        place.pki / "ca.key",
        place.clouds_yaml,
        place.state / "instances.json",
    ):
        assert path.stat().st_mode & 0o077 == 0, path
    kept = ("/var/lib/trove-guest/identity.json", "/etc/trove/guest.conf")
    modes = pair.deployment.inside(pair.attacker, "stat", "-c", "%a %U", *kept)
    assert set(modes.splitlines()) == {"600 root"}


def test_the_bootstrap_credential_works_once(pair):
    """S12: caught in the user data on its way, it is dead once the guest has enrolled.

    The cloud forgets the user data, and so does the guest.
    """
    demo, place = pair.demo, pair.deployment.place
    with Tap(place) as tap:
        id = demo.create("mariadb", "newborn")
        sent = until("its user data", lambda: tap.of(id), 60)
    files = json.loads(sent.partition("\n")[2])["write_files"]
    conf = next(f["content"] for f in files if f["path"].endswith("guest.conf"))
    line = next(x for x in conf.splitlines() if x.startswith("password"))
    bootstrap = line.partition("=")[2].strip()
    assert len(bootstrap) >= 20
    demo.wait(id)
    access = rabbitmq.access(place)
    thief = broker.Attacker(
        id,
        pair.victim,
        access.guest_hosts[0],
        rabbitmq.GUESTS_VHOST,
        bootstrap,
        access.ca_file,
    )
    with pytest.raises(amqp.exceptions.AccessRefused):
        thief.connect()
    left = {"bootstrap": bootstrap.encode()}
    for places in (canary.databases(place), canary.logs(place), canary.commands()):
        assert canary.hits(left, places) == []
    assert canary.hits(left, canary.journals(pair.deployment, id)) == []
    assert not [text for text in user_data(place) if id in text]
    demo.delete(id)
    demo.gone(id)


class Tap:
    """All user data that the cloud is to give to servers, caught on its way."""

    def __init__(self, place):
        self._place, self._over = place, threading.Event()
        self._seen = set()
        self._thread = threading.Thread(target=self._listen)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._over.set()
        self._thread.join()

    def of(self, instance):
        return next((text for text in list(self._seen) if instance in text), None)

    def _listen(self):
        while not self._over.wait(0.005):  # a server takes it within a second
            self._seen.update(user_data(self._place))


def user_data(place):
    """What the cloud has yet to give to servers."""
    with contextlib.closing(
        sqlite3.connect(f"file:{place.cloud / 'cloud.sqlite'}?mode=ro", uri=True)
    ) as line:
        rows = line.execute("SELECT body FROM things WHERE kind = 'Server'")
        given = [json.loads(body).get("user_data") for (body,) in rows]
    return [base64.b64decode(text).decode() for text in given if text is not None]


# -- what others can be made to believe ------------------------------------------------


def test_a_sealed_secret_opens_for_its_guest_as_it_was(pair):
    """S13: flipped, cut, doubled or for another guest's eyes, the agent refuses it."""
    keys = dict(pair.deployment.rows("SELECT instance_id, public_key FROM guests"))
    secret = {"password": "for one guest's eyes"}
    good = base64.b64decode(sealing.seal(keys[pair.attacker], secret))
    flipped = [
        good[:at] + bytes([good[at] ^ 1]) + good[at + 1 :]
        for at in (0, 31, 32, 47, 48, len(good) - 1)
    ]
    wrong = {
        **{f"flipped {n}": data for n, data in enumerate(flipped)},
        **{f"cut to {size}": good[:size] for size in (0, 1, 48, len(good) - 1)},
        "doubled": good + good,
        "in the clear": json.dumps(secret).encode(),
    }
    orders = {name: base64.b64encode(data).decode() for name, data in wrong.items()}
    orders["another's"] = sealing.seal(keys[pair.victim], secret)
    orders["no base64"] = "%%%"
    orders["good"] = base64.b64encode(good).decode()
    (opened,) = pair.lines("unseal.py", orders)
    assert opened.pop("good") == secret
    assert set(opened.values()) == {None}, opened
