# SPDX-License-Identifier: Apache-2.0
"""The vaults there are, one for each test (``benches.py``)."""

import contextlib
import pathlib

import pytest

from tests import objectstore, s3store
from tests.contract.cloud import real
from tests.contract.storage import benches
from trove.storage import account
from trove.storage.vault import s3


@pytest.fixture(scope="module")
def swift_store(tmp_path_factory):
    with objectstore.serving(tmp_path_factory.mktemp("swift")) as store:
        yield store


@pytest.fixture(scope="module")
def s3_store():
    with s3store.running() as store:
        yield store


@pytest.fixture(params=benches.ALL, ids=benches.called)
def bench(request):
    with contextlib.closing(request.param(request)) as bench:
        yield bench


@pytest.fixture
def vault(bench):
    bench.vault.ensure()
    return bench.vault


@pytest.fixture
def filled(vault):
    """One with an object of a byte, ``a/1``."""
    vault.put("a/1", b"x")
    return vault


@pytest.fixture
def short(monkeypatch):
    """Pages of two."""
    monkeypatch.setattr(account, "PAGE", 2)
    monkeypatch.setattr(s3, "PAGE", 2)


@pytest.fixture
def carried():
    """What is given to ``carry``: a real cloud's authorities, and files."""
    cafile = real.settings(real.SERVICE, "one").cafile if real.named() else None
    authorities = pathlib.Path(cafile).read_text() if cafile else ""
    return {"timeout": 60, "files": True, "authorities": authorities}
