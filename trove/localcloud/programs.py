# SPDX-License-Identifier: Apache-2.0
"""Programs: how the host's own tools are run: by argument list, within a time."""

import os
import subprocess
import typing

from trove import errors

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class ProgramFailed(errors.Upstream):
    """A program ended with a status that was not expected, or in no time."""

    sentence = "{program} failed ({status}): {said}"

    def __init__(self, program: str, status: object, said: str) -> None:
        super().__init__(program=program, status=status, said=said.strip()[-600:])
        self.status = status


class Runner(typing.Protocol):
    """What runs programs: the host itself, or a test's record of what was asked."""

    def run(
        self,
        *argv: str,
        given: str | None = None,
        ok: tuple[int, ...] = (0,),
        within: float = 60,
    ) -> str: ...

    def status(self, *argv: str, within: float = 60) -> int: ...


class Host:
    """Runs programs on this machine."""

    def run(
        self,
        *argv: str,
        given: str | None = None,
        ok: tuple[int, ...] = (0,),
        within: float = 60,
    ) -> str:
        """What the program wrote; ``given`` is its standard input."""
        done = self._done(argv, given, within)
        if done.returncode not in ok:
            said = done.stderr or done.stdout
            raise ProgramFailed(_called(argv), done.returncode, said)
        return done.stdout.strip()

    def status(self, *argv: str, within: float = 60) -> int:
        """How the program ended."""
        return self._done(argv, None, within).returncode

    def _done(
        self, argv: tuple[str, ...], given: str | None, within: float
    ) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "PATH": PATH, "LC_ALL": "C.UTF-8"}
        try:
            return subprocess.run(
                argv,
                input=given if given is not None else "",
                capture_output=True,
                text=True,
                errors="replace",
                timeout=within,
                env=environment,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise ProgramFailed(
                _called(argv), "time-out", f"no end after {within:g} s"
            ) from None
        except FileNotFoundError:
            raise ProgramFailed(argv[0], "missing", "it is not installed") from None


def _called(argv: tuple[str, ...]) -> str:
    return " ".join(argv[:6])
