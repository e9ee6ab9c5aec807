# SPDX-License-Identifier: Apache-2.0
"""A vault over a store of its own, of every driver, with a test's hands on it.

Swift is the one-machine cloud's, S3 is moto's behind a front that looks at signatures.
``TROVE_TEST_CLOUD`` names an entry of clouds.yaml (``tests/contract/cloud/real.py``):
then the same is asked of that cloud's Swift, in a container that is gone afterwards.
"""

import contextlib
import secrets
import time
import uuid

import pytest

from tests import s3store
from tests.contract.cloud import real
from trove.storage import account
from trove.storage.vault.directory import Directory
from trove.storage.vault.swift import Swift

BESIDE = "-2"
"""How the name of the container beside ends."""


class Bench:
    """A vault, and a test's hands on it."""

    once = False
    """Whether a URL that writes does so only where there is no such object."""
    vault = None
    container = ""

    def stranger(self):
        """The same container, for one who has no right to it."""

    def beside(self):
        """Another container of the same store."""

    def away(self):
        """The same container, of a store that does not answer."""

    def ends(self, name):
        """Whether an object goes by itself."""
        return False

    secrets = ()
    """What must be told to nobody."""

    def close(self):
        self.vault.close()


class SwiftBench(Bench):
    def __init__(self, store):
        self._store, self.container = store, f"backups-{uuid.uuid4()}"
        self._token = "p/member," + secrets.token_hex(16)
        self.secrets = (self._token,)
        self.vault = self._made(store.endpoint("p"), self._token)

    def _made(self, endpoint, token, more=""):
        return Swift(endpoint, lambda *, fresh: token, self.container + more)

    def stranger(self):
        return self._made(self._store.endpoint("p"), "q/member")

    def beside(self):
        return self._made(self._store.endpoint("p"), self._token, BESIDE)

    def away(self):
        return self._made("http://127.0.0.1:1/v1/AUTH_p", self._token)

    def ends(self, name):
        found = self._store.objects.find("AUTH_p", self.container, name)
        return found.expires is not None


class S3Bench(Bench):
    once = True
    secrets = (s3store.SECRET,)

    def __init__(self, store):
        self._store, self.container = store, f"b-{uuid.uuid4()}"
        self.vault = store.vault(self.container)

    def stranger(self):
        return self._store.vault(self.container, secret_key="another")

    def beside(self):
        return self._store.vault(self.container + BESIDE)

    def away(self):
        return self._store.vault(self.container, endpoint="http://127.0.0.1:1")


class DirectoryBench(Bench):
    once = True

    def __init__(self, path):
        self._path = path
        path.mkdir()
        self.vault = Directory(str(path))

    def away(self):
        return Directory(str(self._path / "away"))


class RealBench(Bench):
    """A real Swift, as the service's own user."""

    def __init__(self):
        self._cloud = real.cloud(real.SERVICE, "one")
        with self._cloud.access.using("the catalogue") as clients:
            self._endpoint = clients.session.get_endpoint(
                service_type="object-store",
                region_name=self._cloud.access.settings.region_name,
                interface=self._cloud.access.settings.interface,
            )
        if self._endpoint is None:
            self._cloud.close()
            pytest.skip("this cloud has no object store")
        self._verify = self._cloud.access.settings.verify
        self.container = f"trove-test-{uuid.uuid4()}"
        token = self._cloud.access.service_token
        self.vault = self._made(self._endpoint, token)
        self.secrets = (token(fresh=False),)

    def _made(self, endpoint, token, more=""):
        return Swift(endpoint, token, self.container + more, self._verify)

    def beside(self):
        token = self._cloud.access.service_token
        return self._made(self._endpoint, token, BESIDE)

    def stranger(self):
        return self._made(self._endpoint, lambda *, fresh: "nobody")

    def away(self):
        return self._made("http://127.0.0.1:1/v1/AUTH_p", lambda *, fresh: "x")

    def ends(self, name):
        token = self._cloud.access.service_token
        over = account.Account(self._endpoint, token, self._verify, "the test")
        with contextlib.closing(over):
            path = account.below(self.container, name)
            return "X-Delete-At" in over.ask("HEAD", path, ok=(200,)).headers

    def close(self):
        over = account.Account(
            self._endpoint, self._cloud.access.service_token, self._verify, "the test"
        )
        with contextlib.closing(over), contextlib.closing(self._cloud):
            end = time.monotonic() + real.PATIENCE
            # a list may lag behind what was written just now
            for container in (self.container, self.container + BESIDE):
                while not self._emptied(over, container):
                    assert time.monotonic() < end, "the container cannot be deleted"
                    time.sleep(0.5)
        super().close()

    def _emptied(self, over, container):
        for one in over.listed(container, ""):
            over.ask("DELETE", account.below(container, one.name), ok=(204, 404))
        said = over.ask("DELETE", container, ok=(204, 404, 409))
        return said.status_code != 409


def swift(request):
    return SwiftBench(request.getfixturevalue("swift_store"))


def moto(request):
    return S3Bench(request.getfixturevalue("s3_store"))


def directory(request):
    return DirectoryBench(request.getfixturevalue("tmp_path") / "vault")


def openstack(request):
    return RealBench()


REAL = [pytest.param(openstack, marks=pytest.mark.openstack)]
ALL = REAL if real.named() else [swift, moto, directory]
SIGNING = REAL if real.named() else [swift, moto]
"""Those whose URLs are good for one request only, and end."""


def called(maker):
    """What a test is called after."""
    return maker.__name__
