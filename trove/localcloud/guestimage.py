# SPDX-License-Identifier: Apache-2.0
"""The guest image: a Debian root file system, the agent's libraries, and the agent.

Four layers. The root file system takes a minute and changes with this module; the
libraries change with ``guest-requirements.txt`` and what its datastores require; the
agent changes with the code and takes a second; the rules are what the engines in it say
of their parameters, and change with them and with ``datastores/``. The packages come
from this host's own apt sources and the libraries from this host's own pip settings: no
mirror is named here.
"""

import concurrent.futures
import dataclasses
import pathlib
import re
import shutil
import sys
import typing

from trove import errors
from trove.localcloud import agentlayer, layers, programs, releases, ruleslayer
from trove.localcloud.releases import Name, Release

BUILDERS = 3
"""Images that are built at once: each waits for packages, and for disks, half of its
time."""
LEFT_OUT = ("man", "doc", "locale", "info", "lintian")

# What a database's machine does not need, or cannot have in a container.
MASKED = (
    "apt-daily-upgrade.timer",
    "apt-daily.timer",
    "console-getty.service",
    "dev-hugepages.mount",
    "dev-mqueue.mount",
    "dpkg-db-backup.timer",
    "e2scrub_all.timer",
    "e2scrub_reap.service",
    "fstrim.timer",
    "getty-static.service",
    "getty.target",
    "kmod-static-nodes.service",
    "modprobe@.service",
    "proc-sys-fs-binfmt_misc.automount",
    "sys-kernel-config.mount",
    "sys-kernel-debug.mount",
    "sys-kernel-tracing.mount",
    "systemd-binfmt.service",
    "systemd-firstboot.service",
    "systemd-journal-flush.service",
    "systemd-logind.service",
    "systemd-modules-load.service",
    "systemd-pstore.service",
    "systemd-random-seed.service",
    "systemd-remount-fs.service",
    "systemd-sysctl.service",
    "systemd-sysusers.service",
    "systemd-timesyncd.service",
    "systemd-update-utmp-runlevel.service",
    "systemd-update-utmp.service",
    "systemd-user-sessions.service",
)
EMPTIED = ("var/cache/apt", "var/lib/apt/lists")

KEPT = "etc/apt/preferences.d/trove-later"
PREFERENCES = """\
Package: *
Pin: release n={suite}
Pin-Priority: 100

Package: {own}
Pin: release n={suite}
Pin-Priority: 990
"""

JOURNAL = "[Journal]\nStorage=volatile\nRuntimeMaxUse=8M\n"
FILES = {
    "etc/systemd/journald.conf.d/trove.conf": JOURNAL,
    "etc/machine-id": "",
    "etc/resolv.conf": "",
}


OS_RELEASE = pathlib.Path("/etc/os-release")
SOURCES = (
    pathlib.Path("/etc/apt/sources.list.d/debian.sources"),
    pathlib.Path("/etc/apt/sources.list"),
)

Progress = typing.Callable[[str], None]


@dataclasses.dataclass(frozen=True, slots=True)
class GuestImage:
    """The directories of an image, topmost first, as an overlay wants them."""

    layers: tuple[pathlib.Path, ...]
    names: tuple[Name, ...] = dataclasses.field(default_factory=releases.first_names)

    @property
    def name(self) -> str:
        """The same content, the same name."""
        return layers.digest(*(layer.name for layer in self.layers))

    def rules(self, datastore: str) -> pathlib.Path:
        """The file with what its engine says of its parameters."""
        found = (ruleslayer.file(layer, datastore) for layer in self.layers)
        path = next((path for path in found if path.is_file()), None)
        if path is None:
            raise errors.Invalid(f"This guest image has no rules of {datastore}.")
        return path


def build(
    cache: pathlib.Path,
    host: programs.Runner,
    progress: Progress,
    package: pathlib.Path | None = None,
    release: Release | None = None,
) -> GuestImage:
    """The image of the code in ``package`` (the running one), built where missing."""
    release = release or releases.release(releases.FIRST)
    store = layers.Layers(cache / "images")
    base = store.have(
        "base",
        layers.digest(recipe(release)),
        lambda root: _base(root, host, progress, release),
    )
    wanted = agentlayer.requirements(release.requires)
    python = agentlayer.Python(base, release.python)
    site = store.have(
        "site",
        layers.digest(base.name, wanted),
        lambda root: agentlayer.install(root, python, wanted, host, progress),
    )
    sources = agentlayer.sources(package)
    agent = store.have(
        "agent",
        layers.digest(base.name, agentlayer.RECIPE, *agentlayer.content(sources)),
        lambda root: agentlayer.copy(root, python, sources, host, progress),
    )
    asked = (agent, site, base)
    datastores = sorted({datastore for _, (_, datastore, _) in release.names})
    rules = store.have(
        "rules",
        layers.digest(base.name, site.name, *ruleslayer.content(sources)),
        lambda root: ruleslayer.make(root, asked, datastores, host, progress),
    )
    return GuestImage((agent, rules, site, base), release.names)


def build_each(
    cache: pathlib.Path,
    host: programs.Runner,
    progress: Progress,
    wanted: typing.Iterable[Release],
) -> list[GuestImage]:
    """The images of these releases, built side by side where missing."""
    with concurrent.futures.ThreadPoolExecutor(BUILDERS) as pool:
        builds = [
            pool.submit(build, cache, host, progress, None, release)
            for release in wanted
        ]
        return [each.result() for each in builds]


def recipe(release: Release) -> str:
    """What a root file system is named after."""
    ours = (LEFT_OUT, MASKED, EMPTIED, FILES, 3)
    theirs = (
        release.suite,
        release.packages,
        release.later and (release.later, KEPT),
        release.units,
        release.emptied,
    )
    return repr((ours, theirs))


def _base(
    root: pathlib.Path, host: programs.Runner, progress: Progress, release: Release
) -> None:
    count = len(release.packages)
    progress(f"guest image: {count} packages of Debian {release.suite}, and their own")
    install(root, release.suite, release.packages, host)
    if release.later:
        progress(f"guest image: {' '.join(release.later)} of Debian {releases.LATER}")
        # mmdebstrap makes the devices, and takes none that are there already; sources
        # that are there already it keeps, instead of those that it is given.
        _empty(root / "dev")
        _forget_sources(root)
        before = _installed(root, host)
        install(root, releases.LATER, release.later, host, variant="custom")
        _keep_later(root, _installed(root, host) - before)
    progress("guest image: units, data directories, journal")
    _customise(root, release)


def install(
    root: pathlib.Path,
    suite: str,
    packages: typing.Iterable[str],
    host: programs.Runner,
    variant: str = "apt",
    epoch: int | None = None,
) -> None:
    """Packages into ``root``; the variant ``custom`` adds them to what is there.

    ``epoch``: what their scripts make is no younger, where they can keep to it.
    """
    sources = next((path for path in SOURCES if path.exists()), None)
    if sources is None:
        raise errors.Upstream(why="this host has no apt sources to build an image from")
    options = [f"--dpkgopt=path-exclude=/usr/share/{name}/*" for name in LEFT_OUT]
    given = _sources(sources.read_text(), suite)
    if suite == releases.LATER or (root / KEPT).exists():
        options += _age(host)
    if (root / KEPT).exists():
        given += "\n" + _sources(sources.read_text(), releases.LATER)
    at = () if epoch is None else ("env", f"SOURCE_DATE_EPOCH={epoch}")
    host.run(
        *at,
        "mmdebstrap",
        "--quiet",
        f"--variant={variant}",
        "--skip=check/empty",
        f"--include={','.join(packages)}",
        *options,
        suite,
        str(root),
        "-",
        given=given,
        within=1800,
    )


def _installed(root: pathlib.Path, host: programs.Runner) -> set[str]:
    """Each package with its version and the name of its source."""
    form = "--showformat=${Package} ${Version} ${source:Package}\n"
    where = f"--admindir={root / 'var/lib/dpkg'}"
    return set(host.run("dpkg-query", where, "--show", form).splitlines())


def _keep_later(root: pathlib.Path, later: typing.Iterable[str]) -> None:
    """What is put over it afterwards is of the release; and of the later suite where
    it is of one source with what is there already, which bears no other version."""
    own = " ".join(sorted({f"src:{line.split()[2]}" for line in later}))
    path = root / KEPT
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(PREFERENCES.format(suite=releases.LATER, own=own))


def _sources(text: str, suite: str) -> str:
    """This host's own sources, of that suite."""
    found = re.search(r"^VERSION_CODENAME=(\w+)$", OS_RELEASE.read_text(), re.MULTILINE)
    if found:
        text = re.sub(rf"\b{found[1]}\b", suite, text)
    return _alone(text, suite) if suite == releases.LATER else text


def _age(host: programs.Runner) -> list[str]:
    """What this host's own apt says of lists that are old.

    Those of a release are good for long; those of a suite that moves on for a week, and
    a mirror that stands still has no newer ones.
    """
    said = host.run("apt-config", "dump", "Acquire::Check-Valid-Until").strip()
    return [f"--aptopt={said}"] if said else []


def _alone(text: str, suite: str) -> str:
    """Without the updates and fixes beside it, which a suite that moves on has not."""
    lines = []
    for line in text.splitlines():
        words = [word for word in line.split() if not word.startswith(f"{suite}-")]
        if words == line.split():
            lines.append(line)
        elif words[0] == "Suites:":
            lines.append(" ".join(words))
    parts = "\n".join(lines).split("\n\n")
    wanted = [part for part in parts if not re.search(r"^Suites:$", part, re.MULTILINE)]
    return "\n\n".join(wanted) + "\n"


def _customise(root: pathlib.Path, release: Release) -> None:
    units = root / "etc/systemd/system"
    for unit in MASKED:
        _link(units / unit, "/dev/null")
    _link(units / "default.target", "/lib/systemd/system/multi-user.target")
    # Not by one pattern: pathlib's do not see a link to what this host has not.
    for wants in units.glob("*.wants"):
        for unit in release.units:
            (wants / unit).unlink(missing_ok=True)
    for name in (*release.emptied, *EMPTIED):
        _empty(root / name)
    (root / "etc/hostname").unlink(missing_ok=True)
    _forget_sources(root)
    for name, text in FILES.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        path.write_text(text)


def _forget_sources(root: pathlib.Path) -> None:
    """No mirror is named in it, and nothing of how this host asks one."""
    _empty(root / "etc/apt/sources.list.d")
    for name in ("sources.list", "apt.conf.d/99mmdebstrap"):
        (root / "etc/apt" / name).unlink(missing_ok=True)


def _empty(directory: pathlib.Path) -> None:
    for found in directory.glob("*"):
        if found.is_dir() and not found.is_symlink():
            shutil.rmtree(found)
        else:
            found.unlink()


def _link(path: pathlib.Path, to: str) -> None:
    path.unlink(missing_ok=True)
    path.symlink_to(to)


def printed(text: str) -> None:
    """Progress for a terminal."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()
