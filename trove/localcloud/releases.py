# SPDX-License-Identifier: Apache-2.0
"""The Debians that guests are made of, and what the datastores want of each.

Which packages those are is said in each datastore's own folder (``Datastore.builds``);
here is what every guest has. Datastores whose packages get on with each other are in
one root file system, found under the tags of each; the others have one each.
"""

import dataclasses
import typing

from trove import errors
from trove.datastores import registry
from trove.datastores.spec import Build, Datastore

BASIS = (
    "ca-certificates",
    "e2fsprogs",
    "iproute2",
    "openssl",
    "procps",
    "python3",
    "systemd-sysv",
    "util-linux",
    "xfsprogs",
    "zstd",
)
PYTHONS = {"bookworm": "3.11", "trixie": "3.13"}
"""The interpreter of each Debian, older ones first."""
FIRST = "bookworm"
"""What a deployment begins with."""

LATER = "sid"
"""Where packages come from that no release has yet."""

ALL = "all"
Chosen = typing.Sequence[tuple[Datastore, Build]]
"""Datastores, each with the build that an instance is made of."""

Name = tuple[str, tuple[str, str, str]]
"""An image's name and its tags: ours, the datastore's, and the version."""


@dataclasses.dataclass(frozen=True, slots=True)
class Release:
    """A Debian with engines in it. ``names``: one content, found under the tags of each
    datastore that it has."""

    name: str
    suite: str
    python: str
    packages: tuple[str, ...]
    names: tuple[Name, ...]
    later: tuple[str, ...] = ()
    """Packages of ``LATER``, over the others."""
    units: tuple[str, ...] = ()
    emptied: tuple[str, ...] = ()
    requires: tuple[str, ...] = ()
    """The libraries of its datastores' agents."""

    def has(self, datastore: str, version: str) -> bool:
        """Whether it is an image of that."""
        return any(tags[1:] == (datastore, version) for _, tags in self.names)


def releases(datastores: typing.Iterable[Datastore] | None = None) -> list[Release]:
    """All that images can be built of, older Debians first."""
    if datastores is None:
        datastores = [registry.get(name) for name in registry.names()]
    groups: dict[str, list[tuple[Datastore, Build]]] = {}
    for datastore in sorted(datastores, key=lambda one: one.name):
        for build in datastore.builds:
            alone = build.apart or build.later
            name = f"{build.suite}-{datastore.name}" if alone else build.suite
            groups.setdefault(name, []).append((datastore, build))
    made = [_release(name, group) for name, group in groups.items()]
    order = list(PYTHONS)
    return sorted(made, key=lambda one: (order.index(one.suite), one.name))


def release(name: str) -> Release:
    """The one of that name; ``errors.Invalid`` says which there are."""
    known = {one.name: one for one in releases()}
    if name not in known:
        raise errors.Invalid(
            f"There is no release {name}; there are: {', '.join(known)}."
        )
    return known[name]


def chosen(text: str) -> Chosen:
    """What is named: ``mariadb``, in its first version, or ``mariadb:11.8``; or all."""
    known = {name: registry.get(name) for name in registry.names()}
    known = {name: one for name, one in known.items() if one.builds}
    words = list(known) if text == ALL else text.split(",")
    return [_one(known, word.strip()) for word in dict.fromkeys(words)]


def _one(known: dict[str, Datastore], word: str) -> tuple[Datastore, Build]:
    name, _, version = word.partition(":")
    if name not in known:
        there = ", ".join([*known, ALL])
        raise errors.Invalid(f"There is no datastore {name}; there are: {there}.")
    for build in known[name].builds:
        if version in ("", build.version):
            return known[name], build
    there = ", ".join(build.version for build in known[name].builds)
    raise errors.Invalid(f"There is no {name} {version}; there are: {there}.")


def first_names() -> tuple[Name, ...]:
    """Of the image that a deployment begins with."""
    return release(FIRST).names


def _release(name: str, group: list[tuple[Datastore, Build]]) -> Release:
    suite = group[0][1].suite
    packages = {each for _, build in group for each in build.packages}
    return Release(
        name=name,
        suite=suite,
        python=PYTHONS[suite],
        packages=tuple(sorted({*BASIS, *packages})),
        names=tuple(
            (
                f"trove-{datastore.name}-{build.version}",
                ("trove", datastore.name, build.version),
            )
            for datastore, build in group
        ),
        later=tuple(sorted({each for _, build in group for each in build.later})),
        units=_all(group, "units"),
        emptied=_all(group, "emptied"),
        requires=_all(group, "requires"),
    )


def _all(group: list[tuple[Datastore, Build]], what: str) -> tuple[str, ...]:
    """Of each datastore in it, once."""
    return tuple(sorted({each for one, _ in group for each in getattr(one, what)}))
