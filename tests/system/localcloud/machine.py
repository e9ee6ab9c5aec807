# SPDX-License-Identifier: Apache-2.0
"""A local cloud of a test's own: real Keystone, real containers, the real clients."""

import contextlib
import os
import pathlib
import signal
import subprocess
import sys
import time

import cinderclient.client
import novaclient.client
import openstack
from keystoneauth1 import session
from keystoneauth1.identity import v3

from tests import slots
from tests.keystone import CACHE, keystone_venv
from trove.localcloud import identity, layout, programs, teardown

ROOT = pathlib.Path(__file__).parents[3]


def until(check, within=60.0, every=0.05):
    """What ``check`` answers once that is true."""
    end = time.monotonic() + within
    while not (seen := check()):
        assert time.monotonic() < end, f"not in {within} s: {check}"
        time.sleep(every)
    return seen


class Clients:
    """A user's novaclient, cinderclient and openstacksdk."""

    def __init__(self, place, user, project):
        auth = v3.Password(
            auth_url=f"{identity.url(place)}/v3",
            username=user,
            password=identity.passwords(place)[user],
            project_name=project,
            user_domain_name="Default",
            project_domain_name="Default",
        )
        self.session = session.Session(auth=auth)
        where = {"session": self.session, "region_name": identity.REGION}
        self.nova = novaclient.client.Client("2.79", **where)
        self.cinder = cinderclient.client.Client("3.59", **where)
        self.sdk = openstack.connection.Connection(**where)


class Machine:
    """One deployment: its processes are started here, and end here."""

    def __init__(self, state):
        slot = slots.slot()
        cidr, ports = f"10.79.{slot}.0/24", 29000 + 100 * slot
        self.place = layout.Layout(state, CACHE, f"tls{slot}", cidr, ports)
        self.host = programs.Host()
        self._keystone = None
        self._serving = None
        self._log = None

    # -- processes -------------------------------------------------------------------

    def up(self):
        venv = keystone_venv()
        identity.prepare(self.place, venv)
        argv, env = identity.command(self.place, venv)
        self._log = (self.place.state / "processes.log").open("a")
        self._keystone = self._spawn(argv, env)
        self.serve()

    def serve(self):
        ready = self.place.run / "localcloud.ready"
        ready.unlink(missing_ok=True)
        place = self.place
        argv = [sys.executable, "-m", "trove.cmd.localcloud"]
        argv += ["--state-dir", str(place.state), "--cache-dir", str(place.cache)]
        argv += ["--tag", place.tag, "--cidr", place.cidr, "--ports", str(place.ports)]
        self._serving = self._spawn([*argv, "serve"], dict(os.environ))
        until(lambda: ready.exists() or self._serving.poll() is not None, 300)
        assert self._serving.poll() is None, self.log()

    def _spawn(self, argv, env):
        return subprocess.Popen(
            argv,
            env=env,
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=self._log,
        )

    def kill(self):
        """The process dies as by a power cut of its own."""
        self._serving.send_signal(signal.SIGKILL)
        self._serving.wait(20)

    def stop(self):
        self._serving.terminate()
        assert self._serving.wait(60) == 0, self.log()

    def log(self):
        return (self.place.state / "processes.log").read_text()[-4000:]

    def close(self):
        for process in (self._serving, self._keystone):
            if process is not None and process.poll() is None:
                process.kill()
                process.wait(20)
        teardown.purge(self.place, self.host)
        left = teardown.leaks(self.place, self.host)
        assert not any(left.values()), left
        if self._log is not None:
            self._log.close()

    # -- looking inside ----------------------------------------------------------------

    def inside(self, server, *argv, ok=(0,), within=60):
        """Runs a program in a guest."""
        path = str(self.place.cloud / "servers")
        name = f"{self.place.tag}-{server}"
        words = ("lxc-attach", "-P", path, "-n", name, "--clear-env", "--", *argv)
        return self.host.run(*words, ok=ok, within=within)

    def pid(self, server):
        path = str(self.place.cloud / "servers")
        name = f"{self.place.tag}-{server}"
        return self.host.run("lxc-info", "-P", path, "-n", name, "-p", "-H", ok=(0, 1))

    def systemd_is_up(self, server):
        with contextlib.suppress(programs.ProgramFailed):
            said = self.inside(server, "systemctl", "is-system-running", ok=(0, 1, 2))
            return said in ("running", "degraded", "starting")
        return False

    def reaches(self, server, address, port):
        """Whether the guest can open a TCP connection."""
        program = (
            "import socket,sys; socket.create_connection((sys.argv[1], "
            "int(sys.argv[2])), 1.5)"
        )
        argv = ("python3", "-c", program, address, str(port))
        try:
            self.inside(server, *argv)
        except programs.ProgramFailed:
            return False
        return True
