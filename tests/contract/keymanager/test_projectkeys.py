# SPDX-License-Identifier: Apache-2.0
"""The keys of projects' backups: the same of the keyring, and of a key manager.

Of Barbican by castellan, with the identity of the service and Barbican's own Keystone
middleware (before a Keystone of the tests), and of the memory cloud's.
"""

import base64
import collections.abc
import contextlib
import dataclasses
import os
import pathlib
import signal
import threading
import typing
import uuid

import pytest
from oslo_config import cfg

from tests import barbican
from tests.api.keystone import Keystone
from trove import errors
from trove.cloud.memory import MemoryCloud
from trove.cloud.memory.keymanager import KeyManager as MemoryKeyManager
from trove.cloud.openstack.keymanager import KeyManager
from trove.cloud.openstack.session import Access, Settings
from trove.cmd.manage import main as manage_main
from trove.db.keybook import KeyBook
from trove.db.session import Database
from trove.db.tables import Record
from trove.storage.keys import Derived, Keyring, NotOpened, Wrapped
from trove.storage.managed import KEPT, ManagedKeys, Manager

SECONDS = 2.0
"""How long the service waits for Barbican."""


OPTIONS = """\
[cloud]
deployment = d
auth_url = {auth_url}
username = {username}
password = {password}
[backup]
driver = directory
key_manager = barbican
keyring = /nowhere
"""


class Kept:
    """A book in a file, as taskmanagers share one; ``keys`` are as one has them."""

    def __init__(self, manager: Manager, home: pathlib.Path) -> None:
        self.manager = manager
        self.database = Database(f"sqlite:///{home}/book.sqlite")
        Record.metadata.create_all(self.database.engine)
        self.moment = 0.0

    def keys(self, older: Derived | None = None) -> ManagedKeys:
        """What a process has that has just begun."""
        book = KeyBook(self.database)
        return ManagedKeys(self.manager, book, "d", older, lambda: self.moment)


@dataclasses.dataclass
class Real:
    """Barbican's process, and the service's way to it."""

    barbican: barbican.Barbican
    manager: KeyManager
    options: str
    """What an operator writes to reach it."""


@pytest.fixture(scope="module")
def real(
    tmp_path_factory: pytest.TempPathFactory,
) -> collections.abc.Iterator[Real]:
    if barbican.venv() is None:
        pytest.skip("needs a Barbican: bin/run-tests contract sets one up")
    made = barbican.Barbican(tmp_path_factory.mktemp("barbican"))
    with contextlib.ExitStack() as opened:
        keystone = opened.enter_context(Keystone({"key-manager": made.url}))
        made.write(keystone)
        made.start()
        opened.callback(made.stop)
        about = {"auth_url": keystone, "username": "trove", "password": "x"}
        settings = Settings(
            deployment="d",
            project_name="service",
            connect_timeout=SECONDS,
            read_timeout=SECONDS,
            **about,
        )
        access = Access(settings)
        opened.callback(access.close)
        conf = cfg.ConfigOpts()
        conf([], default_config_files=[])
        yield Real(made, KeyManager(access, conf), OPTIONS.format(**about))


MANAGERS = ["memory", "barbican"]


@contextlib.contextmanager
def having(
    which: str, request: pytest.FixtureRequest
) -> collections.abc.Iterator[Kept]:
    manager: Manager = MemoryKeyManager(MemoryCloud())
    if which == "barbican":
        manager = request.getfixturevalue("real").manager
    made = Kept(manager, request.getfixturevalue("tmp_path"))
    with contextlib.closing(made.database):
        yield made


@pytest.fixture(params=MANAGERS)
def kept(request: pytest.FixtureRequest) -> collections.abc.Iterator[Kept]:
    with having(request.param, request) as made:
        yield made


@pytest.fixture(params=["keyring", *MANAGERS])
def keys(
    request: pytest.FixtureRequest, tmp_path: pathlib.Path
) -> collections.abc.Iterator[Derived]:
    if request.param == "keyring":
        Keyring.create(tmp_path / "ring")
        yield Keyring.read(tmp_path / "ring")
        return
    with having(request.param, request) as made:
        yield made.keys()


@pytest.fixture
def project() -> str:
    """One that has no key yet: Barbican keeps what the test before has made."""
    return f"p-{uuid.uuid4().hex}"


# -- whatever keeps them ---------------------------------------------------------------


def test_what_was_wrapped_is_opened_for_its_project_alone(
    keys: Derived, project: str
) -> None:
    key = os.urandom(32)
    wrapped = keys.wrap(project, key)
    assert keys.unwrap(project, wrapped) == key
    assert key.hex() not in wrapped.key
    flipped = f"{int(wrapped.key[0], 16) ^ 1:x}{wrapped.key[1:]}"
    for whose, other in (
        ("another", wrapped),
        (project, Wrapped(wrapped.ring, flipped)),
        (project, Wrapped(wrapped.ring, wrapped.key[:-2])),
        (project, Wrapped(wrapped.ring, "no digits")),
        (project, Wrapped("7", wrapped.key)),
        (project, Wrapped(str(uuid.uuid4()), wrapped.key)),
    ):
        with pytest.raises(NotOpened):
            keys.unwrap(whose, other)


def test_a_manifest_is_signed_with_a_key_that_is_had_again(
    keys: Derived, project: str
) -> None:
    ring, key = keys.signing(project)
    assert keys.signing(project, ring) == keys.signing(project) == (ring, key)
    assert keys.wrap(project, os.urandom(32)).ring == ring
    assert len(ring) <= 64, "the column of a backup's row"
    assert keys.signing("another")[1] != key


# -- a key manager ---------------------------------------------------------------------


def test_a_secret_is_found_by_its_name_and_goes(kept: Kept, project: str) -> None:
    manager = kept.manager
    name = f"{project} ünï & co = 1"
    assert manager.named(name) == []
    first, second = manager.make(name), manager.make(name)
    assert manager.named(name) == [first, second]
    assert manager.named(name[:-1]) == []
    found = {manager.secret(first), manager.secret(second)}
    assert {len(one) for one in found} == {32} and len(found) == 2
    for _ in range(2):  # a delete of which the answer was lost
        manager.delete(first)
    assert manager.named(name) == [second]
    with pytest.raises(errors.NotFound):
        manager.secret(first)


def test_every_process_has_the_same_key(kept: Kept, project: str) -> None:
    key = os.urandom(32)
    wrapped = kept.keys().wrap(project, key)
    assert kept.keys().wrap(project, key) == wrapped
    assert kept.keys().unwrap(project, wrapped) == key


def test_a_new_key_wraps_and_an_old_one_still_opens(kept: Kept, project: str) -> None:
    key = os.urandom(32)
    one, other = kept.keys(), kept.keys()
    old = one.wrap(project, key)
    assert other.rotate(project) == one.wrap(project, key).ring != old.ring
    assert one.unwrap(project, old) == other.unwrap(project, old) == key
    assert one.signing(project, old.ring) != one.signing(project)


def test_what_a_keyring_wrapped_is_opened_by_it_still(kept: Kept, project: str) -> None:
    key, ring = os.urandom(32), Keyring({"1": b"k" * 32})
    before = ring.wrap(project, key)
    both = kept.keys(ring)
    assert both.unwrap(project, before) == key
    assert both.signing(project, "1") == ring.signing(project)
    assert both.wrap(project, key).ring != "1"
    with pytest.raises(NotOpened, match="no keyring"):
        kept.keys().unwrap(project, before)


def test_of_many_at_once_one_makes_the_first_key(kept: Kept, project: str) -> None:
    """The losers' are deleted, and nobody ever wraps with one of them."""
    ready, made = threading.Barrier(4), []

    def begins() -> None:
        keys = kept.keys()
        ready.wait()
        made.append(keys.wrap(project, b"k" * 32))

    threads = [threading.Thread(target=begins) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 4 and len(set(made)) == 1
    name = f"trove d backups of {project}, key 1"
    assert kept.manager.named(name) == [made[0].ring]


def test_a_key_that_was_made_and_not_written_down_is_found(
    kept: Kept, project: str
) -> None:
    name = f"trove d backups of {project}, key 1"
    left = kept.manager.make(name)
    assert kept.keys().wrap(project, b"k" * 32).ring == left
    assert kept.manager.named(name) == [left]


def test_a_key_that_was_deleted_there_opens_nothing(kept: Kept, project: str) -> None:
    keys = kept.keys()
    wrapped = keys.wrap(project, b"k" * 32)
    kept.manager.delete(wrapped.ring)
    kept.moment = KEPT - 1
    assert keys.unwrap(project, wrapped) == b"k" * 32
    kept.moment = KEPT
    for each in (keys, kept.keys()):
        with pytest.raises(NotOpened, match=f"no key {wrapped.ring}"):
            each.unwrap(project, wrapped)
        with pytest.raises(NotOpened, match=f"no key {wrapped.ring}"):
            each.wrap(project, b"k" * 32)
    keys.rotate(project)
    assert keys.wrap(project, b"k" * 32).ring != wrapped.ring


# -- Barbican itself -------------------------------------------------------------------


@pytest.fixture
def away(real: Real) -> typing.Iterator[Real]:
    """Killed; up again at the end of the test, whatever that did."""
    real.barbican.stop(signal.SIGKILL)
    yield real
    real.barbican.stop()
    real.barbican.start()


def test_one_that_is_away_is_waited_for_and_nothing_is_lost(
    away: Real, tmp_path: pathlib.Path, project: str
) -> None:
    kept = Kept(away.manager, tmp_path)
    with contextlib.closing(kept.database):
        with pytest.raises(errors.Unavailable, match="key manager does not answer"):
            kept.keys().wrap(project, b"k" * 32)
        away.barbican.start()
        keys = kept.keys()
        wrapped = keys.wrap(project, b"k" * 32)
        away.barbican.stop(signal.SIGKILL)
        assert keys.unwrap(project, wrapped) == b"k" * 32, "it is in memory"
        with pytest.raises(errors.Unavailable):
            kept.keys().unwrap(project, wrapped)
        away.barbican.start()
        assert kept.keys().unwrap(project, wrapped) == b"k" * 32


def test_one_that_says_nothing_is_not_waited_for_long(real: Real, project: str) -> None:
    """castellan itself would wait for ever."""
    name = f"{project} 1"
    id = real.manager.make(name)
    real.barbican.halt()
    try:
        for deed in (
            lambda: real.manager.secret(id),
            lambda: real.manager.named(name),
            lambda: real.manager.make(name),
        ):
            with pytest.raises(errors.Unavailable):
                deed()
    finally:
        real.barbican.go_on()
    assert real.manager.secret(id)


def test_no_key_is_in_a_log(
    real: Real, project: str, caplog: pytest.LogCaptureFixture
) -> None:
    """INV-17: whatever the libraries say when everything is wanted."""
    caplog.set_level("DEBUG")
    id = real.manager.make(f"{project} 1")
    secret = real.manager.secret(id)
    said = "\n".join(str(record.__dict__) for record in caplog.records)
    assert id in said, "nothing was heard"
    in_a_body = base64.b64encode(secret).decode()
    for told in (secret.hex(), repr(secret)[2:-1], in_a_body):
        assert told not in said


def test_an_operator_has_new_keys_made(
    real: Real, tmp_path: pathlib.Path, project: str, capsys: pytest.CaptureFixture[str]
) -> None:
    kept = Kept(real.manager, tmp_path)
    file = tmp_path / "trove.conf"
    url = kept.database.engine.url.render_as_string()
    file.write_text(f"{real.options}[database]\nconnection = {url}\n")

    def manage(*words: str) -> tuple[int, str]:
        code = manage_main(["--config-file", str(file), "key", *words])
        said = capsys.readouterr()
        return code, said.out + said.err

    with contextlib.closing(kept.database):
        code, said = manage("rotate-backup", project)
        assert code == 1 and "cannot be found" in said, "it has made no backup yet"
        keys, key = kept.keys(), b"k" * 32
        rings = []
        for words in ((), (project,), ()):
            wrapped = keys.wrap(project, key)
            rings.append(wrapped.ring)
            code, said = manage("rotate-backup", *words)
            assert code == 0 and project in said
            assert keys.wrap(project, key).ring in said
            assert keys.unwrap(project, wrapped) == key
        assert len(set(rings)) == 3
