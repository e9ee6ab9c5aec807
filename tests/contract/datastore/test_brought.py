# SPDX-License-Identifier: Apache-2.0
"""A user's own certificate in each mode, as clients of a living engine find it."""

import contextlib
import os
import stat

import pytest

from tests.pkcs12 import Authority
from trove import errors
from trove.datastores.protocol import BASIC, ENFORCED, MTLS, Change, Tls

PASSWORD = "a crew's password"


class Scene:
    """An engine that serves with certificates of a user's authority."""

    def __init__(self, lab):
        self.lab, self.root = lab, lab.machine.root
        self.authority = Authority("A user's second", below=Authority())
        root = self.authority.above.pem
        (self.root / "users-ca.pem").write_text(self.authority.pem + root)
        (self.root / "users-root.pem").write_text(root)
        self.client = type(lab.client).__new__(type(lab.client))
        self.client.__dict__ = {**lab.client.__dict__, "ca": self._path("root")}

    def _path(self, name):
        return str(self.root / f"users-{name}.pem")

    def serve(self, mode, made=None):
        """The serial of what is served in this mode."""
        made = made or self.authority.server()
        (self.root / "users-pair.pem").write_text(made.pair)
        tls = Tls(self._path("pair"), self._path("ca"), mode)
        self.lab.engine.load_certificate(tls)
        return made.serial

    def able(self, mode):
        """Whether it serves in this mode; if not, it says so, and serves as it did."""
        if mode != BASIC or self.lab.can.plain:
            return True
        before = self.client.shown()
        with pytest.raises(errors.NotSupported, match="without TLS"):
            self.serve(mode)
        assert self.client.shown() == before
        assert not self.enters(tls=False)
        return False

    def pair(self, name="ann", authority=None):
        """A client's certificate, in files."""
        made = (authority or self.authority).client(name)
        for part, text in (("cert", made.pem), ("key", made.key_pem)):
            (self.root / f"client-{part}.pem").write_text(text)
            os.chmod(self.root / f"client-{part}.pem", 0o600)
        return tuple(str(self.root / f"client-{part}.pem") for part in ("cert", "key"))

    def enters(self, user="crew", **how):
        try:
            with self.client.login(user, PASSWORD, "crews", **how) as run:
                return self.client.answers(run)
        except self.lab.refused as refused:
            self.why = str(refused)
            return False


@pytest.fixture
def scene(lab):
    lab.account("crew", PASSWORD, "crews")
    yield Scene(lab)
    lab.engine.load_certificate(lab.tls)


@pytest.mark.parametrize("mode, plain", [(BASIC, True), (ENFORCED, False)])
def test_what_a_client_sees_and_whether_it_may_come_without(scene, mode, plain):
    if not scene.able(mode):
        return
    serial = scene.serve(mode)
    assert scene.client.shown() == serial
    assert scene.enters(), scene.why
    assert scene.enters(tls=False) is plain


def test_in_mtls_nobody_enters_without_a_certificate_of_that_authority(scene):
    scene.serve(ENFORCED)
    assert scene.enters()
    scene.serve(MTLS)
    assert not scene.enters()
    assert not scene.enters(tls=False)
    assert not scene.enters(pair=scene.pair(authority=Authority("a stranger's")))
    assert scene.enters(pair=scene.pair())
    scene.serve(ENFORCED)
    assert scene.enters()


def test_in_mtls_accounts_that_come_later_show_one_too(scene):
    scene.serve(MTLS)
    accounts, pair = scene.lab.engine.accounts, scene.pair()
    scene.lab.account("late", PASSWORD, "crews")
    accounts.enable_root(PASSWORD)
    try:
        for user in ("late", "root"):
            assert not scene.enters(user)
            assert scene.enters(user, pair=pair)
        accounts.change_account("late", "%", Change(name="later", password=PASSWORD))
        assert not scene.enters("later")
        assert scene.enters("later", pair=pair)
    finally:
        accounts.disable_root()
        accounts.delete_account("later")


def test_in_mtls_an_account_made_in_sql_is_held_to_it(scene):
    """The engine, or the agent that looks again, asks it for a certificate too."""
    scene.serve(MTLS)
    about = {"user": "quick", "password": PASSWORD, "database": "crews"}
    for statement in scene.lab.client.by_hand:
        scene.lab.client.admin(statement.format(**about))
    try:
        scene.lab.engine.hold_mode()
        assert not scene.enters("quick")
        assert scene.enters("quick", pair=scene.pair()), scene.why
    finally:
        scene.lab.engine.accounts.delete_account("quick")


def test_what_a_tenant_asks_of_an_account_outlives_the_next_certificate(scene):
    if scene.lab.client.certified is None:
        return  # has nothing of the kind
    asks, none = scene.lab.client.certified
    scene.serve(ENFORCED)
    scene.lab.client.admin(asks.format("crew"))
    scene.serve(ENFORCED)
    assert not scene.enters() and scene.enters(pair=scene.pair())
    scene.lab.client.admin(none.format("crew"))


@pytest.mark.parametrize("mode", [BASIC, ENFORCED, MTLS])
def test_the_mode_and_the_certificate_outlive_a_restart(scene, mode):
    if not scene.able(mode):
        return
    serial = scene.serve(mode)
    scene.lab.engine.restart()
    assert scene.client.shown() == serial
    assert scene.enters(pair=scene.pair())
    assert scene.enters() is (mode != MTLS)
    assert scene.enters(tls=False) is (mode == BASIC)


def test_a_new_configuration_changes_no_mode(scene):
    from tests.contract.datastore.conftest import SIZING

    mode = BASIC if scene.lab.can.plain else MTLS
    scene.serve(mode)
    scene.lab.engine.regroup(SIZING, {}, 7)
    scene.lab.engine.restart()
    assert scene.enters(tls=False) is (mode == BASIC)
    assert scene.enters() is (mode == BASIC)
    assert scene.enters(pair=scene.pair())


def test_a_bad_pair_leaves_the_old_one_serving(scene):
    serial = scene.serve(ENFORCED)
    wrong = scene.authority.server()
    wrong.key = scene.authority.server().key
    with contextlib.suppress(Exception):
        scene.serve(ENFORCED, wrong)
    assert scene.client.shown() == serial
    assert scene.enters()


def test_what_is_shown_is_what_a_client_is_shown(scene):
    made = scene.authority.server()
    scene.serve(MTLS, made)
    assert made.pem.startswith(scene.lab.engine.shown().strip())


def test_who_is_connected_stays_when_the_mode_changes(scene):
    scene.serve(ENFORCED)
    with scene.client.login("crew", PASSWORD, "crews") as run:
        for mode in filter(scene.able, (BASIC, ENFORCED, MTLS, ENFORCED)):
            scene.serve(mode)
            assert scene.client.answers(run)


def test_nobody_but_the_engine_reads_the_key(scene):
    scene.serve(ENFORCED)
    for folder, _, names in os.walk(scene.lab.machine.path("/etc")):
        for name in names:
            path = os.path.join(folder, name)
            with open(path, "rb") as file:
                if b"PRIVATE KEY" in file.read():
                    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600, path
