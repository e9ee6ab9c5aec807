# SPDX-License-Identifier: Apache-2.0
"""Other builds of an engine: images over a deployment's own, and versions of them."""

import contextlib
import dataclasses
import functools
import pathlib
import shutil
import time
import typing
import uuid

import pytest

from tests.system.deployment import VERSIONS, Deployment, User
from trove.datastores import registry
from trove.localcloud import assembly, guestimage, layers, programs, releases, things
from trove.localcloud.store import Store

BUILD = "etc/trove-build"
PROGRAMS = {
    "mariadb": "usr/bin/mariadb-upgrade",
    "mysql": "usr/sbin/mysqld",
    "postgresql": "usr/lib/postgresql/{version}/bin/postgres",
    "valkey": "usr/bin/valkey-server",
}
"""Of each engine, one without which a new version makes no database of the data."""


def params(config: pytest.Config, databases: bool = True) -> list[typing.Any]:
    """Each datastore with a version: those that a deployment begins with, and by
    ``--all-datastores`` the others."""
    every = config.getoption("all_datastores")
    return [
        pytest.param(
            name,
            build.version,
            id=name if build.suite == releases.FIRST else f"{name}-{build.version}",
        )
        for name in registry.names()
        for build in registry.get(name).builds
        if registry.get(name).can.databases is databases
        if every or build.suite == releases.FIRST
    ]


def offer(deployment: Deployment, datastore: str, name: str) -> None:
    """The version is there, with its image."""
    if VERSIONS.get(datastore) != name:
        words = (f"--datastores={datastore}:{name}", "--no-instances")
        deployment.quickstart(*words, within=1500)


def program(datastore: str, name: str) -> str:
    """Where it is in an image of that version."""
    return PROGRAMS[datastore].format(version=name)


def broken(datastore: str, name: str) -> dict[str, str | bytes]:
    """Files of an image whose engine makes no database of any data."""
    return {program(datastore, name): "#!/bin/sh\nexit 1\n", BUILD: "broken"}


@contextlib.contextmanager
def rows(deployment: Deployment) -> typing.Iterator[Store]:
    """The cloud's own rows, as who brings an image writes them."""
    store = assembly.store_of(deployment.place)
    try:
        yield store
    finally:
        store.close()


def content(deployment: Deployment, datastore: str, name: str) -> things.Image:
    """The image that the deployment itself has of a version."""
    wanted = {datastore, name}
    with rows(deployment) as store, store.transaction() as tx:
        return next(row for row in tx.all(things.Image) if wanted <= set(row.tags))


def image(
    deployment: Deployment,
    datastore: str,
    files: dict[str, str | bytes],
    name: str = "",
    above: typing.Sequence[pathlib.Path] = (),
) -> str:
    """The id of another build: these files, over these layers, over the content."""
    first = content(deployment, datastore, name or VERSIONS[datastore])
    layer = pathlib.Path(deployment.place.state) / f"layer-{uuid.uuid4()}"
    layer.mkdir()
    for path, text in files.items():
        target = layer / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(text if isinstance(text, bytes) else text.encode())
    for target in (layer, *layer.rglob("*")):
        target.chmod(0o755)
    now = time.time()
    row = things.Image(
        str(uuid.uuid4()),
        first.project,
        f"another-{datastore}",
        now,
        now,
        [str(layer), *map(str, above), *first.layers],
        ["another"],
    )
    with rows(deployment) as store, store.transaction() as tx:
        tx.put(row)
    return row.id


def version(
    admin: User, datastore: str, name: str, image: str, number: str = ""
) -> str:
    """The id of a new one, which is of this image alone; it is newer than those that
    there are, unless its number is said."""
    body = {
        "name": name,
        "datastore_name": datastore,
        "datastore_manager": datastore,
        "version": number or f"{VERSIONS[datastore]}.99",
        "image": image,
        "active": True,
    }
    answer = admin.ask("POST", "/mgmt/datastore-versions", {"version": body})
    assert answer.status_code == 202, answer.text
    answer = admin.ask("GET", f"/datastores/{datastore}/versions/{name}")
    return str(answer.json()["version"]["id"])


def read(deployment: Deployment, datastore: str, name: str, path: str) -> bytes:
    """A file of the deployment's own image."""
    found = (
        pathlib.Path(layer) / path for layer in _layers(deployment, datastore, name)
    )
    return next(file for file in found if file.is_file()).read_bytes()


# -- builds that Debian's archive has side by side ----------------------------------


@dataclasses.dataclass(frozen=True, slots=True)
class Build:
    """What the engine calls itself, and what is put over the content for it."""

    number: str
    layers: tuple[pathlib.Path, ...]


class Archive:
    """An engine's packages as this machine's apt sources have them, which are those
    that the image is made from."""

    def __init__(self, deployment: Deployment, datastore: str, name: str) -> None:
        self._host, self._name = programs.Host(), name
        self._cache = layers.Layers(deployment.place.cache / "images")
        found = _layers(deployment, datastore, name)
        dpkg = "var/lib/dpkg"
        self._base = next(path for path in found if (path / dpkg / "status").is_file())
        self._query = ("dpkg-query", f"--admindir={self._base / dpkg}")
        said = self._host.run(*self._query, "--search", f"/{program(datastore, name)}")
        self._server = said.partition(":")[0]

    def two(self) -> tuple[Build, Build]:
        """The two newest builds of the release, the older one first."""
        found = self._versions()
        if len(found) < 2:  # a machine whose lists are old, or were cleaned away
            self._host.run("apt-get", "--quiet", "update", within=300)
            found = self._versions()
        assert len(found) > 1, (
            f"apt has one build of {self._server} ({', '.join(found)}): its sources "
            "lack the release's security part, or no update of it came since a point "
            "release; then name a snapshot of the archive as a source of this machine's"
        )
        older, newer = found[-2:]
        return self._build(older), self._build(newer)

    def _versions(self) -> list[str]:
        """Of the server's package, older ones first, one for each number; another
        suite's are no builds of this version."""
        said = self._host.run("apt-cache", "madison", self._server)
        found = {line.split("|")[1].strip() for line in said.splitlines()}
        ours = [one for one in found if _number(one).startswith(f"{self._name}.")]
        ours.sort(key=functools.cmp_to_key(self._compared))
        return list({_number(one): one for one in ours}.values())

    def _compared(self, one: str, other: str) -> int:
        words = ("dpkg", "--compare-versions", one, "lt", other)
        return -1 if self._host.status(*words) == 0 else int(one != other)

    def _build(self, wanted: str) -> Build:
        installed = self._installed()
        if installed[self._server] == wanted:
            return Build(_number(wanted), ())
        asked = [f"{package}={wanted}" for package in sorted(installed)]
        layer = self._cache.have(
            "build",
            layers.digest(self._base.name, *asked, "1"),
            lambda root: self._unpack(root, asked),
        )
        return Build(_number(wanted), (layer,))

    def _installed(self) -> dict[str, str]:
        """The image's packages of the server's source, with their versions."""
        form = "--showformat=${source:Package} ${Package} ${Version}\n"
        said = self._host.run(*self._query, "--show", form).splitlines()
        all = [line.split() for line in said]
        (source,) = (of for of, package, _ in all if package == self._server)
        return {package: number for of, package, number in all if of == source}

    def _unpack(self, root: pathlib.Path, asked: list[str]) -> None:
        """The packages' files, and no more: an image runs no scripts of theirs."""
        fetched = root / ".fetched"
        fetched.mkdir()
        self._host.run(
            *("env", f"--chdir={fetched}", "apt-get", "--quiet"),
            *("--option=APT::Sandbox::User=root", "download", *asked),
            within=300,
        )
        for package in sorted(fetched.glob("*.deb")):
            self._host.run("dpkg-deb", "--extract", str(package), str(root), within=300)
        shutil.rmtree(fetched)
        for left_out in guestimage.LEFT_OUT:
            shutil.rmtree(root / "usr/share" / left_out, ignore_errors=True)
        self._merge(root)

    def _merge(self, root: pathlib.Path) -> None:
        """What packages have in ``/lib`` goes where the image's link leads: a directory
        of that name would hide the link, and with it all that is there."""
        for link in [path for path in self._base.iterdir() if path.is_symlink()]:
            found = root / link.name
            if found.is_dir():
                target = root / link.readlink()
                target.mkdir(parents=True, exist_ok=True)
                self._host.run("cp", "--archive", f"{found}/.", str(target))
                shutil.rmtree(found)


def _number(package: str) -> str:
    """``1:10.11.18-0+deb12u1`` -> ``10.11.18``: the engine's own of a package's."""
    return package.rpartition(":")[2].partition("-")[0]


def _layers(deployment: Deployment, datastore: str, name: str) -> list[pathlib.Path]:
    """Of the deployment's own image, topmost first."""
    return [pathlib.Path(path) for path in content(deployment, datastore, name).layers]
