# SPDX-License-Identifier: Apache-2.0
"""What pip installs works without the checkout: migrations, samples, commands."""

import importlib.metadata
import pathlib
import shutil
import subprocess
import sys
import sysconfig
import typing
import venv
import zipfile

import pytest

ROOT = pathlib.Path(__file__).parents[2]
PARTS = ("trove", "etc", "alembic", "setup.cfg", "pyproject.toml")
SETUPTOOLS = 77
"""As pyproject.toml says; the build is offline, so it must be installed."""


def sh(*argv: str | pathlib.Path, ok: typing.Container[int] = (0,), **settings) -> str:
    done = subprocess.run(
        [str(word) for word in argv],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=120,
        check=False,
        **settings,
    )
    assert done.returncode in ok, done.stdout
    return done.stdout


@pytest.fixture(scope="session")
def wheel(tmp_path_factory) -> pathlib.Path:
    """The wheel of this checkout, made in a copy: a build leaves things behind."""
    version = importlib.metadata.version("setuptools")
    if int(version.split(".")[0]) < SETUPTOOLS:
        pytest.skip(
            f"needs setuptools {SETUPTOOLS}, has {version}: pip install .[test]"
        )
    source = tmp_path_factory.mktemp("source")
    ignore = shutil.ignore_patterns("__pycache__", "*.egg-info")
    for name in PARTS:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, source / name, ignore=ignore)
        else:
            shutil.copy(ROOT / name, source)
    for name in ("README.rst", "LICENSE"):
        shutil.copy(ROOT / name, source)
    out = tmp_path_factory.mktemp("wheel")
    words = ("wheel", "--no-deps", "--no-index", "--no-build-isolation", "-w", out)
    sh(sys.executable, "-m", "pip", *words, source, cwd=source)
    (made,) = out.glob("*.whl")
    return made


class Installed:
    """The package in an environment of its own; its libraries are the tests'."""

    def __init__(self, home: pathlib.Path, wheel: pathlib.Path) -> None:
        self.home = home
        venv.create(home, symlinks=True)
        self.bin = home / "bin"
        words = ("install", "--no-deps", "--no-index", wheel)
        sh(sys.executable, "-m", "pip", "--python", self.bin / "python", *words)
        here = sysconfig.get_path(
            "purelib", vars={"base": str(home), "platbase": str(home)}
        )
        # a path, not a site: an editable trove-dbaas that is there is not found
        paths = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
        pathlib.Path(here, "libraries.pth").write_text("\n".join(sorted(paths)))

    def run(self, *words: str | pathlib.Path, **settings) -> str:
        return sh(self.bin / words[0], *words[1:], cwd=self.home, env={}, **settings)


@pytest.fixture(scope="session")
def installed(tmp_path_factory, wheel) -> Installed:
    return Installed(tmp_path_factory.mktemp("installed"), wheel)


def test_the_wheel_has_every_file_of_the_package(wheel):
    inside = set(zipfile.ZipFile(wheel).namelist())
    ours = {
        str(path.relative_to(ROOT))
        for path in (ROOT / "trove").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert ours - inside == set()


def test_it_runs_from_where_it_was_installed(installed):
    said = installed.run("python", "-c", "import trove; print(trove.__file__)")
    assert said.startswith(str(installed.home))


def test_a_database_is_made_and_checked(installed):
    url = f"sqlite:///{installed.home}/trove.sqlite"
    keys = installed.home / "seal-keys"
    said = installed.run("trove-manage", "--database", url, "db", "sync")
    assert "The database is now at revision" in said
    installed.run("trove-manage", "key", "create", keys)
    conf = installed.home / "trove.conf"
    conf.write_text(f"[database]\nconnection = {url}\nseal_keys = {keys}\n")
    words = ("--config-file", conf, "upgrade", "check")
    said = installed.run("trove-status", *words, ok=(2,))
    assert said.count("Result: Success") == 8, said
    assert "[rpc] broker_url and guests_url are not set" in said


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (
            "import sys; from oslo_config.generator import main; sys.exit(main())",
            "[taskmanager]",
        ),
        (
            "import sys; from oslo_policy.generator import generate_sample; "
            "sys.exit(generate_sample())",
            "instance",
        ),
    ],
)
def test_samples_are_generated(installed, call, says):
    said = installed.run("python", "-W", "ignore", "-c", call, "--namespace", "trove")
    assert says in said and len(said.splitlines()) > 50


def test_what_an_operator_copies_is_there(installed):
    for name in ("etc/trove/api-paste.ini", "etc/trove/trove.conf.sample"):
        assert (installed.home / name).is_file()
    units = {path.name for path in (installed.home / "share/trove/systemd").iterdir()}
    assert units == {path.name for path in (ROOT / "etc/systemd").glob("*.service")}
