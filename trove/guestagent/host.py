# SPDX-License-Identifier: Apache-2.0
"""The machine the agent lives on; the only place that runs a program.

There is no shell: a command is a list of words, with a time limit and an environment
made from nothing. Secrets go in by ``input`` (a pipe), never as a word; an error carries
the exit code and the end of what the program said, with every secret taken out.
"""

import dataclasses
import os
import pathlib
import re
import signal
import subprocess
import typing

from trove import errors
from trove.guestagent import files

ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "LANG": "C.UTF-8",
    "HOME": "/",
}

TAIL = 500
"""How much of a program's complaint an error repeats, in characters."""


@dataclasses.dataclass(frozen=True, slots=True)
class Result:
    """What a program left: its exit code and its two outputs."""

    code: int
    output: bytes
    complaint: bytes

    @property
    def text(self) -> str:
        """Standard output as text; what is not UTF-8 is replaced."""
        return self.output.decode("utf-8", "replace")


class HostError(errors.Internal):
    """A program ended badly. ``code`` is its exit code; None: it ran out of time."""

    sentence = "{program} failed ({how}): {tail}"

    def __init__(self, program: str, code: int | None, tail: str, **facts: object):
        self.code = code
        self.tail = tail
        how = "no answer in time" if code is None else f"exit code {code}"
        super().__init__(program=program, how=how, tail=tail, **facts)


def scrub(said: bytes, hide: typing.Iterable[str] = ()) -> str:
    """The end of what a program said, on one line, fit for a log and for a fault.

    What the caller calls secret is taken out, and whatever follows the word password.
    """
    line = said.decode("utf-8", "replace")
    for secret in sorted(filter(None, hide), key=len, reverse=True):
        line = line.replace(secret, "***")
    line = re.sub(
        r"(?i)(password|passwd|identified by|secret)(\s*[=:]?\s*)(\"[^\"]*\"|'[^']*'|\S+)",
        r"\1\2***",
        line,
    )
    line = re.sub(r"[^\x20-\x7e\xa0-\ud7ff\ue000-\U0010ffff]+", " ", line).strip()
    return line[-TAIL:]


class Host:
    """Programs, files and services of this machine. Engines get one of these."""

    def run(
        self,
        argv: typing.Sequence[str | os.PathLike[str]],
        *,
        input: str | bytes | None = None,
        timeout: float = 60,
        user: str | None = None,
        env: typing.Mapping[str, str] | None = None,
        ok: typing.Container[int] = (0,),
        hide: typing.Iterable[str] = (),
        cwd: str = "/",
    ) -> Result:
        """Runs a program to its end, as ``user``, in a session of its own.

        Raises ``HostError`` for an exit code not in ``ok``, and after killing the whole
        session when the time is over. ``hide`` are secrets to take out of an error.
        """
        words = [os.fspath(word) for word in argv]
        data = input.encode() if isinstance(input, str) else input
        process = self._spawn(words, data is not None, user, env, cwd)
        try:
            output, complaint = process.communicate(data, timeout=timeout)
        except subprocess.TimeoutExpired:
            _kill_session(process)
            raise HostError(words[0], None, f"stopped after {timeout:g} s") from None
        except BaseException:
            _kill_session(process)
            raise
        result = Result(process.returncode, output, complaint)
        if result.code not in ok:
            said = complaint or output
            raise HostError(words[0], result.code, scrub(said, hide))
        return result

    def _spawn(
        self,
        words: list[str],
        fed: bool,
        user: str | None,
        env: typing.Mapping[str, str] | None,
        cwd: str,
    ) -> subprocess.Popen[bytes]:
        who: dict[str, typing.Any] = {}
        if user is not None:
            uid, gid = files.owner_ids(user)
            who = {
                "user": uid,
                "group": gid,
                "extra_groups": os.getgrouplist(user, gid),
            }
        try:
            return subprocess.Popen(  # noqa: S603 - a list of words, never a shell
                words,
                stdin=subprocess.PIPE if fed else subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env={**ENVIRONMENT, **(env or {})},
                cwd=cwd,
                close_fds=True,
                start_new_session=True,
                umask=0o077,
                **who,
            )
        except OSError as error:
            raise HostError(words[0], 127, error.strerror or "cannot be run") from None

    def start(self, argv: typing.Sequence[str], env: typing.Mapping[str, str]) -> int:
        """Starts a program that outlives the agent, in its own session; its process id.

        Whoever starts it reaps it (``os.waitpid``), if he lives that long.
        """
        return os.posix_spawn(
            argv[0],
            list(argv),
            {**ENVIRONMENT, **env},
            file_actions=[(os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0)],
            setsid=True,
        )

    # -- files

    def write_file(
        self,
        path: str | os.PathLike[str],
        content: str | bytes,
        *,
        mode: int = 0o600,
        owner: str | None = None,
    ) -> None:
        """Replaces a file in one move. ``owner`` is ``user`` or ``user:group``."""
        files.write(pathlib.PurePath(path), content, mode=mode, owner=owner)

    def read_file(self, path: str | os.PathLike[str]) -> str | None:
        """A small text file's content, or None when there is no such file."""
        return files.text(pathlib.PurePath(path))

    def make_directory(
        self,
        path: str | os.PathLike[str],
        *,
        mode: int = 0o700,
        owner: str | None = None,
    ) -> None:
        """Makes a directory, or gives the one that is there this mode and owner."""
        files.directory(pathlib.PurePath(path), mode=mode, owner=owner)

    def remove_file(self, path: str | os.PathLike[str]) -> None:
        """Removes a file; nothing to do when there is none."""
        files.remove(pathlib.PurePath(path))

    # -- services

    def service(
        self, verb: str, unit: str, *, timeout: float = 60, wait: bool = True
    ) -> None:
        """``systemctl <verb> <unit>``: start, stop, restart, reload, enable, kill..."""
        words = ["systemctl", "--no-ask-password", verb]
        if not wait:
            words.append("--no-block")
        self.run([*words, "--", unit], timeout=timeout)

    def service_state(self, unit: str) -> str:
        """active, activating, deactivating, inactive, failed, or unknown."""
        asked = ["systemctl", "show", "--property=ActiveState", "--value", "--", unit]
        try:
            return self.run(asked, timeout=5).text.strip() or "unknown"
        except HostError:
            return "unknown"

    def service_pid(self, unit: str) -> int:
        """The service's main process, or 0."""
        asked = ["systemctl", "show", "--property=MainPID", "--value", "--", unit]
        try:
            return int(self.run(asked, timeout=5).text.strip() or 0)
        except (HostError, ValueError):
            return 0

    def reload_units(self) -> None:
        """Makes systemd read its unit files again."""
        self.run(["systemctl", "daemon-reload"], timeout=60)


def _kill_session(process: subprocess.Popen[bytes]) -> None:
    """Ends a program and everything it started, and reaps it."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        process.kill()
    for stream in (process.stdin, process.stdout, process.stderr):
        if stream is not None:
            stream.close()
    process.wait()
