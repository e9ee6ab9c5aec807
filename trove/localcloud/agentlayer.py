# SPDX-License-Identifier: Apache-2.0
"""The agent's layers of a guest image: its libraries, and its half of this package."""

import dataclasses
import importlib.metadata
import pathlib
import shutil
import sys
import typing

import trove
from trove import errors
from trove.localcloud import programs

SITE = "opt/trove/site"
# The guest's half of the package, and nothing else: no database, cloud or web code.
MODULES = (
    "__init__.py",
    "errors.py",
    "context.py",
    "cmd/__init__.py",
    "cmd/guestagent.py",
)
PACKAGES = ("config", "model", "service", "rpc", "storage", "datastores", "guestagent")
KEPT_OUT = frozenset({"concurrency.py", "greenworkers.py", "wsgiserver.py"})
"""Of ``service``: what only the control plane runs on."""

PLUGGED = ("oslo.messaging.drivers", "trove.guestagent.modules")
"""The groups of entry points that a guest looks into."""

UNIT = "trove-guestagent.service"
RECIPE = repr((UNIT, SITE, MODULES, PACKAGES, 2))


@dataclasses.dataclass(frozen=True, slots=True)
class Python:
    """The interpreter inside the guest, whatever runs out here: in which root file
    system, and its version."""

    root: pathlib.Path
    version: str


Progress = typing.Callable[[str], None]
Sources = dict[str, pathlib.Path]


def requirements(more: typing.Iterable[str] = ()) -> str:
    """The pinned closure of what the agent imports, and of what its datastores do."""
    file = pathlib.Path(__file__).parent / "guest-requirements.txt"
    return "\n".join([file.read_text().rstrip(), *more, ""])


def sources(package: pathlib.Path | None = None) -> Sources:
    """Each file of the guest's half, by its path below ``trove/``."""
    top = package or pathlib.Path(trove.__file__).parent
    found = {name: top / name for name in MODULES}
    for name in PACKAGES:
        for path in sorted((top / name).rglob("*")):
            if path.is_dir() or "__pycache__" in path.parts:
                continue
            if not (name == "service" and path.name in KEPT_OUT):
                found[str(path.relative_to(top))] = path
    return found


def unit() -> str:
    """The agent's unit: of the checkout, or where pip put it."""
    checkout = pathlib.Path(trove.__file__).parents[1]
    for place in (checkout / "etc", pathlib.Path(sys.prefix) / "share/trove"):
        file = place / "systemd" / UNIT
        if file.is_file():
            return file.read_text()
    raise errors.Internal(why=f"{UNIT} is not installed")


def content(files: Sources) -> list[str | bytes]:
    """What the agent's layer is named after."""
    parts: list[str | bytes] = [_entry_points(), unit()]
    for name, path in files.items():
        parts += [name, path.read_bytes()]
    return parts


def install(
    root: pathlib.Path,
    python: Python,
    wanted: str,
    host: programs.Runner,
    progress: Progress,
) -> None:
    """The libraries, from this host's package index, for the guest's interpreter."""
    progress("guest image: the agent's libraries")
    site = root / SITE
    site.mkdir(parents=True)
    listed = root / "requirements.txt"
    listed.write_text(wanted)
    host.run(
        sys.executable,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--no-deps",
        "--no-compile",
        "--disable-pip-version-check",
        "--root-user-action=ignore",
        "--only-binary=:all:",
        f"--python-version={python.version}",
        f"--target={site}",
        f"--requirement={listed}",
        within=900,
    )
    listed.unlink()
    for unwanted in ("bin", "share"):
        shutil.rmtree(site / unwanted, ignore_errors=True)
    for tests in [*site.glob("*/tests"), *site.glob("*/test")]:
        shutil.rmtree(tests)
    _compile(root, python, host)


def copy(
    root: pathlib.Path,
    python: Python,
    files: Sources,
    host: programs.Runner,
    progress: Progress,
) -> None:
    """The agent itself, its entry points and its unit."""
    progress("guest image: the agent")
    for name, path in files.items():
        target = root / SITE / "trove" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
    described = root / SITE / "trove_dbaas-0.dist-info"
    described.mkdir()
    (described / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: trove-dbaas\nVersion: 0\n"
    )
    (described / "entry_points.txt").write_text(_entry_points())
    _compile(root, python, host)
    units = root / "etc/systemd/system"
    (units / "multi-user.target.wants").mkdir(parents=True)
    (units / UNIT).write_text(unit())
    wanted = units / "multi-user.target.wants" / UNIT
    wanted.symlink_to(f"/etc/systemd/system/{UNIT}")


def _entry_points() -> str:
    """The plug-ins of this package that a guest finds by entry point."""
    lines: list[str] = []
    for group in PLUGGED:
        found = importlib.metadata.entry_points(group=group)
        mine = [point for point in found if point.value.startswith("trove.")]
        lines.append(f"[{group}]")
        lines += sorted(f"{point.name} = {point.value}" for point in mine)
    return "\n".join([*lines, ""])


def _compile(root: pathlib.Path, python: Python, host: programs.Runner) -> None:
    """Byte code for the guest's interpreter, by that interpreter, run from out here."""
    base = python.root
    libraries = next(base.glob("usr/lib/*-linux-gnu"))
    # Not by /lib64: that is a link to the host's own.
    loader = next(libraries.glob("ld-linux-*.so.*"))
    host.run(
        "env",
        "-i",
        f"PYTHONHOME={base / 'usr'}",
        str(loader),
        "--library-path",
        str(libraries),
        str(base / f"usr/bin/python{python.version}"),
        "-m",
        "compileall",
        "-q",
        "-j1",
        # The layer never changes: the source need not be looked at when it is loaded.
        "--invalidation-mode=unchecked-hash",
        "-s",
        str(root),
        "-p",
        "/",
        str(root / SITE),
        within=300,
    )
