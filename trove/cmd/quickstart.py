# SPDX-License-Identifier: Apache-2.0
"""The quickstart: from installed packages to databases that answer.

``bin/quickstart`` installs what is needed and then runs this. Everything it starts is
run by ``trove-supervise``; everything it keeps is below one directory.
"""

import argparse
import concurrent.futures
import contextlib
import os
import pathlib
import shutil
import subprocess
import sys
import time
import typing

from trove import errors
from trove.cmd import supervise
from trove.datastores import registry
from trove.localcloud import (
    assembly,
    bootstrap,
    guestimage,
    hostcheck,
    onemachine,
    programs,
    rabbitmq,
    releases,
)
from trove.localcloud.guestimage import GuestImage
from trove.localcloud.layout import Layout
from trove.localcloud.releases import Chosen, Release
from trove.service import supervisor, threads

FAILED, REFUSED = 1, 2
FIRST = ",".join(datastore for _, (_, datastore, _) in releases.first_names())
"""The datastores of the image that every deployment has."""
START = 300.0
"""Seconds that everything together may take to be up."""


class Steps:
    """Prints what is done, and how long it took."""

    def __init__(self, out: typing.TextIO = sys.stdout) -> None:
        self._out = out
        self._began = time.monotonic()
        self._open = False

    @contextlib.contextmanager
    def step(self, what: str) -> typing.Iterator[None]:
        """One step; its line ends when it does."""
        began = time.monotonic()
        self._out.write(f"{what + ' ...':<52}")
        self._out.flush()
        self._open = True
        yield
        gap = "" if self._open else " " * 52
        self._open = False
        self.say(f"{gap}{time.monotonic() - began:6.1f} s")

    def say(self, text: str) -> None:
        """A line of its own, also in the middle of a step."""
        self._out.write(f"\n{text}\n" if self._open else f"{text}\n")
        self._open = False
        self._out.flush()

    def seconds(self) -> float:
        """Since the beginning."""
        return time.monotonic() - self._began


def parser() -> argparse.ArgumentParser:
    """The command line; ``bin/quickstart --help`` is its manual."""
    top = argparse.ArgumentParser("bin/quickstart", description=__doc__)
    do = top.add_mutually_exclusive_group()
    for verb in ("status", "down", "up", "purge"):
        do.add_argument(f"--{verb}", action="store_true")
    top.add_argument("--state-dir", type=pathlib.Path, default="/var/lib/trove")
    cache = os.environ.get("TROVE_CACHE", "/var/lib/trove/cache")
    top.add_argument("--cache-dir", type=pathlib.Path, default=cache)
    top.add_argument("--tag", default="trv")
    top.add_argument("--cidr", default="10.77.0.0/24")
    top.add_argument("--ports", type=int, default=18700)
    top.add_argument("--datastores", metavar="NAMES", default=FIRST)
    top.add_argument("--no-instances", action="store_true")
    top.add_argument("question", nargs="?", help=argparse.SUPPRESS)
    return top


def main(argv: typing.Sequence[str] | None = None) -> int:
    """0 done, 1 failed, 2 refused before anything was changed."""
    threads.prepare()
    asked = parser().parse_args(argv)
    place = Layout(
        state=asked.state_dir.absolute(),
        cache=asked.cache_dir.absolute(),
        tag=asked.tag,
        cidr=asked.cidr,
        ports=asked.ports,
    )
    try:
        if asked.question == onemachine.BROKER_READY:
            return broker_ready(place)
        if asked.status:
            return status(place)
        if asked.down:
            return down(place, Steps())
        if asked.purge:
            return purge(place, Steps())
        try:
            chosen = releases.chosen(asked.datastores)
        except errors.Invalid as error:
            sys.stderr.write(f"quickstart: {error}\n")
            return REFUSED
        every = asked.datastores == releases.ALL
        return up(place, Steps(), chosen, every, instances=not asked.no_instances)
    except (errors.TroveError, OSError, subprocess.CalledProcessError) as error:
        sys.stderr.write(
            f"\nquickstart: {error}\nquickstart: logs are in {place.log}\n"
        )
        return FAILED


def broker_ready(place: Layout) -> int:
    """For the supervisor: the broker takes connections, and has its virtual hosts."""
    if not rabbitmq.ready(place):
        return FAILED
    rabbitmq.setup(place)
    return 0


# -- up --------------------------------------------------------------------------------


def up(
    place: Layout, steps: Steps, chosen: Chosen, every: bool, instances: bool
) -> int:
    """Everything that is not there yet is made; what runs is left running.

    ``every``: not only the version of each that an instance is made of.
    """
    running = _running(place)
    if not running:
        # What a killed supervisor left has our ports, and is taken over.
        taken_over = bool(supervisor.left(place.run))
        refusals = hostcheck.refusals(place, programs.Host())
        if refusals and not taken_over:
            for why in refusals:
                sys.stderr.write(f"quickstart: {why}\n")
            return REFUSED
        _start(place, steps)
    _offer(place, steps, _beside(chosen, every))
    if instances:
        _first_instances(place, steps, chosen)
    steps.say(f"ready after {steps.seconds():.0f} s")
    return 0


def _beside(chosen: Chosen, every: bool) -> list[Release]:
    """What has those that the first image has not."""
    wanted = {(datastore.name, build.version) for datastore, build in chosen}
    return [
        release
        for release in releases.releases()
        if release.name != releases.FIRST
        and (every or any(tags[1:] in wanted for _, tags in release.names))
    ]


def _offer(place: Layout, steps: Steps, wanted: list[Release]) -> None:
    """More images, and the versions that are made of them."""
    if not wanted:
        return
    names = " ".join(release.name for release in wanted)
    host = programs.Host()
    with steps.step(f"building more guest images ({names})"):
        built = guestimage.build_each(place.cache, host, lambda _text: None, wanted)
    with steps.step("registering their datastores"):
        store = assembly.store_of(place)
        try:
            for image in built:
                bootstrap.enter(store, image)
                _register(place, image)
        finally:
            store.close()


def _first_instances(place: Layout, steps: Steps, chosen: Chosen) -> None:
    """A database of each kind, as a user makes it, and what that user can do next."""
    from trove.cmd import firststeps  # its clients take longer to load than a question

    user = firststeps.User(place, "demo", steps.say)
    made = []
    with steps.step("making a database of each kind through the API"):
        made = firststeps.make(user, place, chosen)
    for one in made:
        with steps.step(f"waiting for {one.name} to be HEALTHY"):
            firststeps.wait(user, one)
        with steps.step(f"a query over TLS as its user {one.user}"):
            answer = firststeps.query(one, place)
        steps.say(f"    {answer}")
    steps.say("")
    for line in firststeps.manual(user, made, place):
        steps.say(line)


def _running(place: Layout) -> bool:
    try:
        told = supervisor.ask(place.run, "status")
    except ConnectionError:
        return False
    return not told["stopping"]


def _start(place: Layout, steps: Steps) -> None:
    keystone = pathlib.Path(
        os.environ.get("TROVE_KEYSTONE_VENV", place.cache / "keystone")
    )
    with concurrent.futures.ThreadPoolExecutor(1) as beside:
        image = beside.submit(
            guestimage.build, place.cache, programs.Host(), lambda _text: None
        )
        with steps.step("writing keys, options and Keystone's first contents"):
            onemachine.prepare(place, keystone, lambda _text: None)
            plan = onemachine.write_plan(place, keystone)
        with steps.step("building the guest image (begun beside that)"):
            built = image.result()
    with steps.step("bringing the database up to date"):
        _manage(place, "db", "sync")
    with steps.step("registering the datastores"):
        _register(place, built)
    with steps.step("starting the cloud and the control plane"):
        _supervise(plan, place)
        _until_up(place, steps)


def _register(place: Layout, built: GuestImage) -> None:
    """The versions that an image has; the first of a datastore is its default."""
    for _name, tags in built.names:
        _ours, datastore, version = tags
        words = ["--manager", datastore, "--image-tags", ",".join(tags)]
        if version == registry.get(datastore).builds[0].version:
            words.append("--default")
        _manage(place, "datastore", "version", "register", datastore, version, *words)
        # Once: what an administrator made of them since is not ours to undo.
        file = str(built.rules(datastore))
        _manage(place, "parameters", "load", datastore, version, file, "--once")


def _manage(place: Layout, *words: str) -> None:
    """trove-manage; what it says goes to a log."""
    from trove.cmd import manage  # not for each of the supervisor's questions

    with (place.log / "manage.log").open("a") as log, contextlib.redirect_stdout(log):
        code = manage.main([f"--config-file={place.etc / 'trove.conf'}", *words])
    if code:
        raise errors.Internal(why=f"trove-manage {' '.join(words)} ended with {code}")


def _supervise(plan: pathlib.Path, place: Layout) -> None:
    log = place.log / "supervise.log"
    with log.open("ab") as out:
        subprocess.Popen(
            [sys.executable, "-m", "trove.cmd.supervise", str(plan), "run"],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            cwd="/",
            env=onemachine.environment(),
            start_new_session=True,
        )


def _until_up(place: Layout, steps: Steps) -> None:
    end = time.monotonic() + START
    seen: set[str] = set()
    waiting: list[dict[str, typing.Any]] = []
    while time.monotonic() < end:
        time.sleep(0.3)
        with contextlib.suppress(ConnectionError):
            told = supervisor.ask(place.run, "status")["processes"]
            for one in told:
                if one["state"] == "up" and one["name"] not in seen:
                    seen.add(one["name"])
                    steps.say(f"    {one['name']} is up")
            waiting = [one for one in told if one["state"] != "up"]
            if told and not waiting:
                return
    names = ", ".join(f"{one['name']} ({one['state']})" for one in waiting)
    raise errors.Unavailable(f"not everything is up: {names or 'no supervisor'}")


# -- status, down, purge ---------------------------------------------------------------


def status(place: Layout) -> int:
    """What runs, and the instances as their user sees them."""
    try:
        told = supervisor.ask(place.run, "status")
    except ConnectionError:
        sys.stdout.write("nothing runs; bin/quickstart starts it\n")
        return FAILED
    sys.stdout.write("\n".join(supervise.lines(told)) + "\n\n")
    from trove.cmd import firststeps

    for line in firststeps.listing(firststeps.User(place, "demo", print)):
        sys.stdout.write(f"{line}\n")
    return 0


def down(place: Layout, steps: Steps) -> int:
    """Daemons and guests are stopped; all state is kept."""
    with steps.step("stopping the control plane"):
        _stop(place)
    with steps.step("stopping the guests"):
        _localcloud(place, "down")
    return 0


def _stop(place: Layout) -> None:
    with contextlib.suppress(ConnectionError):
        supervisor.ask(place.run, "stop")
        end = time.monotonic() + 240
        while time.monotonic() < end:
            supervisor.ask(place.run, "status")
            time.sleep(0.3)
        raise errors.Unavailable(what="The supervisor")
    for child, _digest in reversed(supervisor.left(place.run).values()):
        supervisor.end(child)
    if place.rabbitmq.exists():
        rabbitmq.stop(place)


def _localcloud(place: Layout, command: str) -> None:
    subprocess.run(
        [
            sys.executable,
            "-m",
            "trove.cmd.localcloud",
            *onemachine.arguments(place),
            command,
        ],
        check=True,
        stdout=subprocess.DEVNULL,
        cwd="/",
        env=onemachine.environment(),
    )


def purge(place: Layout, steps: Steps) -> int:
    """Nothing is left but the cache of downloads."""
    if not place.state.exists():
        steps.say(f"{place.state} is not there; nothing to do")
        return 0
    with steps.step("stopping the control plane"):
        _stop(place)
    with steps.step("removing guests, volumes and the network"):
        _localcloud(place, "purge")
    with steps.step(f"removing {place.state}"):
        for entry in place.state.iterdir():
            if entry == place.cache:
                continue
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry)
            else:
                entry.unlink()
        if not any(place.state.iterdir()):
            place.state.rmdir()
    steps.say(f"the cache of downloads is kept; to remove it: rm -rf {place.cache}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
