# SPDX-License-Identifier: Apache-2.0
"""From a datastore's version to a disk image, its bill of materials and its rules."""

import contextlib
import dataclasses
import fcntl
import hashlib
import json
import os
import pathlib
import shutil
import tempfile
import typing
import uuid as uuids

from trove import errors
from trove.guestimage import disk, filesystem, machinelayer, sbom, times, tree
from trove.localcloud import guestimage, layers, programs, releases

FORMATS = ("qcow2", "raw")
RECIPE = 1
"""Counted up when a disk of the same layers becomes another."""

NAMESPACE = uuids.UUID("6a2f3a0e-54c5-5d0b-9f0d-4e0b64f2a1c7")

Progress = typing.Callable[[str], None]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Order:
    """What shall be built, and where it shall be."""

    datastore: str
    version: str
    release: releases.Release
    output: pathlib.Path
    format: str = "qcow2"
    size: int = 3 * 2**30
    key: str | None = None
    """A public key that may log in as root; for looking into it, not for use."""
    cloud_init: bool = True
    """Or the agent reads the config drive itself, and the root disk does not grow."""

    @property
    def options(self) -> str:
        """What the kernel is started with."""
        return tree.options(self.cloud_init)

    @property
    def named(self) -> releases.Name:
        """The image's name and tags."""
        wanted = (self.datastore, self.version)
        for name in self.release.names:
            if name[1][1:] == wanted:
                return name
        there = ", ".join(" ".join(tags[1:]) for _, tags in self.release.names)
        raise errors.Invalid(
            f"Debian {self.release.suite} has no {self.datastore} {self.version}; "
            f"it has: {there}."
        )


@dataclasses.dataclass(frozen=True, slots=True)
class Label:
    """What is written beside an image, and read when it is uploaded."""

    name: str
    tags: tuple[str, ...]
    format: str
    release: str
    sha256: str
    bytes: int
    virtual: int
    secure_shell: bool

    def write(self, image: pathlib.Path) -> None:
        """Beside the image."""
        text = json.dumps(dataclasses.asdict(self), indent=2)
        beside(image, "json").write_text(text + "\n")

    @classmethod
    def read(cls, image: pathlib.Path) -> "Label":
        """Of an image that was built."""
        path = beside(image, "json")
        try:
            said = json.loads(path.read_text())
            return cls(**{**said, "tags": tuple(said["tags"])})
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise errors.Invalid(
                f"{path} is not what 'build' writes beside an image: {error}."
            ) from None


def beside(image: pathlib.Path, what: str) -> pathlib.Path:
    """A file that belongs to the image."""
    return image.with_name(f"{image.name}.{what}")


def build(
    order: Order, cache: pathlib.Path, host: programs.Runner, progress: Progress
) -> Label:
    """Builds it; nothing that looks whole is at ``output`` until all of it is."""
    order.named  # noqa: B018 - refused before a minute is spent on it
    image = guestimage.build(cache, host, progress, release=order.release)
    machine = _machine(order, image, cache, host, progress)
    uuid = _uuid(order, image, machine)
    order.output.parent.mkdir(parents=True, exist_ok=True)
    # On the layers' own disk: the tree is made of links to them.
    with workshop(cache / "images") as work:
        root = work / "tree"
        root.mkdir(mode=0o755)
        progress("disk: the layers as one tree")
        tree.merge((machine, *reversed(image.layers[:-1])), root, host)
        tree.complete(root, uuid, order.key)
        epoch = times.newest(root)
        raw = _disk(order, work, root, uuid, epoch, host, progress)
        bill = sbom.document(
            order.named[0], sbom.parts(root, order.release.suite), uuid, epoch
        )
        return _put(order, work, raw, bill, image, host, progress)


@contextlib.contextmanager
def workshop(images: pathlib.Path) -> typing.Iterator[pathlib.Path]:
    """A directory for one build; what builds that were killed left goes first."""
    with _held(images, wait=True):
        for left in images.glob(".disk-*"):
            with _held(left, wait=False) as mine:
                if mine:
                    shutil.rmtree(left)
        made = pathlib.Path(tempfile.mkdtemp(prefix=".disk-", dir=images))
        hold = contextlib.ExitStack()
        hold.enter_context(_held(made, wait=True))
    with hold:
        try:
            yield made
        finally:
            shutil.rmtree(made)


@contextlib.contextmanager
def _held(directory: pathlib.Path, *, wait: bool) -> typing.Iterator[bool]:
    """Nobody else has it meanwhile; False if somebody has, and it is not waited for."""
    handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield _locked(handle, wait)
    finally:
        os.close(handle)


def _locked(handle: int, wait: bool) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except BlockingIOError:
        return False
    return True


def _machine(
    order: Order,
    image: guestimage.GuestImage,
    cache: pathlib.Path,
    host: programs.Runner,
    progress: Progress,
) -> pathlib.Path:
    base, shell = image.layers[-1], order.key is not None
    return layers.Layers(cache / "images").have(
        "machine",
        layers.digest(base.name, machinelayer.recipe(shell)),
        lambda root: machinelayer.make(
            root, base, order.release.suite, shell, host, progress
        ),
    )


def _uuid(order: Order, image: guestimage.GuestImage, machine: pathlib.Path) -> str:
    """The same content, the same file system: its name is made of what it holds."""
    held = [machine.name, *(layer.name for layer in image.layers[:-1])]
    parts = (*held, order.options, order.key or "", str(order.size), str(RECIPE))
    return str(uuids.uuid5(NAMESPACE, layers.digest(*parts)))


def _disk(
    order: Order,
    work: pathlib.Path,
    root: pathlib.Path,
    uuid: str,
    epoch: int,
    host: programs.Runner,
    progress: Progress,
) -> pathlib.Path:
    raw = work / "disk.raw"
    disk.blank(raw, uuid, order.size, disk.loader(work, uuid, order.options, host))
    progress("disk: its file system")
    length = order.size - disk.OFFSET
    filesystem.make(raw, root, disk.OFFSET, length, uuid, epoch, host)
    filesystem.settle(raw, tree.paths(root), disk.OFFSET, epoch, host)
    return raw


def _put(
    order: Order,
    work: pathlib.Path,
    raw: pathlib.Path,
    bill: dict[str, typing.Any],
    image: guestimage.GuestImage,
    host: programs.Runner,
    progress: Progress,
) -> Label:
    """The image and what belongs to it, at their places; the image last."""
    made = raw
    if order.format == "qcow2":
        progress("disk: compressed")
        made = work / "disk.qcow2"
        disk.convert(raw, made, host)
    output = order.output
    text = json.dumps(bill, indent=1)
    beside(output, "spdx.json").write_text(text + "\n")
    shutil.copyfile(image.rules(order.datastore), beside(output, "rules.json"))
    part = beside(output, "part")
    # Not shutil's: a raw disk is mostly holes, which stay holes.
    host.run("cp", "--sparse=always", "--", str(made), str(part), within=900)
    name, tags = order.named
    label = Label(
        name=name,
        tags=tags,
        format=order.format,
        release=order.release.suite,
        sha256=sha256(part),
        bytes=part.stat().st_size,
        virtual=order.size,
        secure_shell=order.key is not None,
    )
    label.write(output)
    part.replace(output)
    return label


def sha256(path: pathlib.Path) -> str:
    """The sum of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
