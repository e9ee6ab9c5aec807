# SPDX-License-Identifier: Apache-2.0
"""The list in a tar that goes by is had, however that ends, and nobody waits for it."""

import hashlib
import io
import pathlib
import subprocess
import tarfile
import types

import pytest

from trove.datastores.postgresql.agent.manifests import KEPT, Manifests, Overheard
from trove.datastores.protocol import Ran

RANGE = b'{ "Timeline": 1, "Start-LSN": "0/2000028", "End-LSN": "0/2000120" }'
LIST = b'{ "Files": [\n' + b"x" * 9000 + b'],\n"WAL-Ranges": [\n' + RANGE + b"\n]}"


class Really:
    """A host that runs programs, as whoever we are."""

    def __init__(self, work):
        self.work = work

    def run(self, argv, *, user=None, timeout=60.0, check=True):
        argv = [word for word in argv if not word.startswith("--owner")]
        ran = subprocess.run(argv, check=check, capture_output=True, text=True)
        return Ran(ran.returncode, ran.stdout, ran.stderr)

    def make_directory(self, path, *, mode=0o755, owner="root"):
        pathlib.Path(path).mkdir(mode, exist_ok=True)

    def exists(self, path):
        return pathlib.Path(path).exists()

    def rename(self, old, new):
        pathlib.Path(old).rename(new)

    def remove(self, path):
        pathlib.Path(path).unlink(missing_ok=True)


@pytest.fixture
def host(tmp_path):
    return Really(tmp_path)


def tar(*files):
    """As pg_basebackup says one."""
    said = io.BytesIO()
    with tarfile.open(fileobj=said, mode="w", format=tarfile.USTAR_FORMAT) as made:
        for name, data in files:
            member = tarfile.TarInfo(name)
            member.size = len(data)
            made.addfile(member, io.BytesIO(data))
    return said.getvalue()


def heard(host, said):
    """Where the list is; all of it went by as it was said."""
    ear = Overheard(host, str(host.work))
    ran = subprocess.run(
        ear.stage.argv, input=said, stdout=subprocess.PIPE, check=True, timeout=60
    )
    assert ran.stdout == said
    return ear.taken()


def test_the_last_file_of_a_tar_is_had(host):
    files = [("base/1", b"a" * 700), ("base", b""), ("base/2", b"b" * (3 << 20))]
    path = heard(host, tar(*files, ("backup_manifest", LIST)))
    assert pathlib.Path(path).read_bytes() == LIST


@pytest.mark.parametrize(
    "said",
    [
        b"",
        tar(("base/1", b"a" * 700)),
        tar(("backup_manifest", LIST))[:5000],
        b"no tar at all" * 100_000,
    ],
)
def test_one_that_is_not_there_is_not_had(host, said):
    assert heard(host, said) is None


def test_where_it_cannot_be_written_down_all_goes_by(host):
    """A volume that is full: the backup is none the worse."""
    (host.work / "backup_manifest").symlink_to("/dev/full")
    assert heard(host, tar(("backup_manifest", LIST), ("more", b"x" * 99999))) is None


@pytest.fixture
def manifests(host):
    return Manifests(host, types.SimpleNamespace(volume=str(host.work)))


def kept(host, manifests, data=LIST):
    path = host.work / "backup_manifest"
    path.write_bytes(data)
    return manifests.keep(str(path))


def test_what_is_kept_is_lent_by_its_hash(host, manifests):
    words = kept(host, manifests)
    digest = hashlib.sha256(LIST).hexdigest()
    assert words == {"manifest": digest, "begin": "0/2000028"}
    assert kept(host, manifests) == words
    there = host.work / "parent"
    assert manifests.lend(digest, str(there))
    assert there.read_bytes() == LIST
    (host.work / ".trove-manifests" / digest).write_bytes(LIST[1:])
    assert not manifests.lend(digest, str(there))


@pytest.mark.parametrize("digest", ["", "../data/PG_VERSION", "a" * 64, "A" * 64])
def test_what_is_not_there_is_not_lent(host, manifests, digest):
    assert not manifests.lend(digest, str(host.work / "parent"))


@pytest.mark.parametrize("said", [b"", b"{}", LIST + RANGE])
def test_one_that_does_not_say_where_it_began_is_not_kept(host, manifests, said):
    assert kept(host, manifests, said) == {}


def test_the_newest_are_kept(host, manifests):
    words = [kept(host, manifests, b"%d" % n + LIST) for n in range(KEPT + 2)]
    there = {path.name for path in (host.work / ".trove-manifests").iterdir()}
    assert len(there) == KEPT and words[-1]["manifest"] in there
