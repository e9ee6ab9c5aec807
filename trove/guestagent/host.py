# SPDX-License-Identifier: Apache-2.0
"""The machine the agent lives on; the only place that runs a program.

There is no shell: a command is a list of words, with a time limit and an environment
made from nothing. Secrets go in by ``input`` (a pipe), never as a word; an error has
the exit code and the end of what the program said, with every secret taken out.
"""

import contextlib
import os
import pathlib
import re
import signal
import subprocess
import typing

from trove import errors
from trove.datastores.protocol import Ran, Stage
from trove.guestagent import files

ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "LANG": "C.UTF-8",
    "HOME": "/",
}

TAIL = 500
"""How much of a program's complaint an error repeats, in characters."""

SECRET = re.compile(
    r"(?i)((?:password|passwd|identified by|secret)\s*[=:]?\s*)"
    r"(?:\"[^\"]*\"|'[^']*'|\S+)"
)

UNITS = ("/etc/systemd/system/", "/run/systemd/system/")

NOT_ENABLED = ("disabled", "static", "masked")
"""What systemd calls units that nothing starts at boot on their own account."""

Owner = files.Owner
"""``user`` (its primary group comes with it) or ``user:group``."""


class HostError(errors.CommandFailed):
    """A program ended badly. ``code`` is its exit code; None: it ran out of time."""

    def __init__(self, program: str, code: int | None, tail: str) -> None:
        self.code = code
        self.tail = tail
        how = "no end in time" if code is None else f"exit code {code}"
        super().__init__(program=program, code=how, why=tail)


def scrub(said: str, hide: typing.Iterable[str] = ()) -> str:
    """The end of what a program said, on one line, fit for a log and for a fault.

    What the caller calls secret is taken out, and whatever follows the word password.
    """
    for secret in sorted(filter(None, hide), key=len, reverse=True):
        said = said.replace(secret, "***")
    said = SECRET.sub(r"\1***", said)
    # no control character, no half of a pair: a fault is shown in many places
    said = re.sub(r"[^\x20-\x7e\xa0-\ud7ff\ue000-\U0010ffff]+", " ", said).strip()
    return said[-TAIL:]


class Host:
    """Programs, files and services of this machine (``datastores.protocol.Host``)."""

    def __init__(self) -> None:
        self._units_changed = False

    def path(self, path: str) -> str:
        """Where a path of the guest really is: here."""
        return path

    # -- programs

    def run(
        self,
        argv: typing.Sequence[str | os.PathLike[str]],
        *,
        input: str | bytes | None = None,
        timeout: float = 60.0,
        user: str | None = None,
        check: bool = True,
        ok: typing.Container[int] = (0,),
        hide: typing.Iterable[str] = (),
        output: typing.BinaryIO | None = None,
    ) -> Ran:
        """Runs a program to its end, as ``user``, in a session of its own.

        Its output goes into the file ``output``, where that is given, and nowhere else.

        Raises ``HostError`` for an exit code not in ``ok`` unless ``check`` is off, and
        always after killing the whole session because the time was over. ``hide`` are
        secrets to take out of the error.
        """
        words = [os.fspath(word) for word in argv]
        data = input.encode() if isinstance(input, str) else input
        stdin = subprocess.DEVNULL if data is None else subprocess.PIPE
        process = spawn(words, user, stdin, output or subprocess.PIPE)
        try:
            said, complaint = process.communicate(data, timeout=timeout)
        except subprocess.TimeoutExpired:
            _kill_session(process)
            raise HostError(words[0], None, f"stopped after {timeout:g} s") from None
        except BaseException:
            _kill_session(process)
            raise
        ran = Ran(
            process.returncode,
            (said or b"").decode("utf-8", "replace"),
            complaint.decode("utf-8", "replace"),
        )
        if check and ran.returncode not in ok:
            raise HostError(
                words[0], ran.returncode, scrub(ran.stderr or ran.stdout, hide)
            )
        return ran

    def start(self, argv: typing.Sequence[str], env: typing.Mapping[str, str]) -> int:
        """Starts a program that may outlive the agent; its process id.

        It has its own session. Who starts it reaps it (``os.waitpid``), if he lives.
        """
        return os.posix_spawn(
            argv[0],
            list(argv),
            {**ENVIRONMENT, **env},
            file_actions=[(os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0)],
            setsid=True,
        )

    def reading(
        self, *stages: Stage, within: float = 60.0
    ) -> contextlib.AbstractContextManager[typing.BinaryIO]:
        """What the last of these says; it counts when the block is left well."""
        from trove.guestagent import streams  # only here: an agent that serves has none

        return streams.reading(*stages, within=within)

    def writing(
        self, *stages: Stage, within: float = 60.0
    ) -> contextlib.AbstractContextManager[typing.BinaryIO]:
        """What the first of these is told; taken when the block is left well."""
        from trove.guestagent import streams

        return streams.writing(*stages, within=within)

    # -- files

    def write_file(
        self,
        path: str | os.PathLike[str],
        text: str | bytes,
        *,
        mode: int = 0o644,
        owner: Owner = "root",
    ) -> bool:
        """Has the file say exactly this, so owned; True when it did not before."""
        path = pathlib.PurePath(path)
        data = text.encode() if isinstance(text, str) else text
        if files.same(path, data, mode, owner):
            return False
        files.write(path, data, mode=mode, owner=owner)
        if str(path).startswith(UNITS):
            self._units_changed = True
        return True

    def read_file(self, path: str | os.PathLike[str]) -> str | None:
        """The text of a file, or None when there is none."""
        return files.text(pathlib.PurePath(path))

    def make_directory(
        self,
        path: str | os.PathLike[str],
        *,
        mode: int = 0o755,
        owner: Owner = "root",
    ) -> None:
        """Has the directory be there, so owned; missing parents are root's, 0755."""
        files.directory(pathlib.PurePath(path), mode=mode, owner=owner)

    def exists(self, path: str | os.PathLike[str]) -> bool:
        """Whether anything is there; a link counts as itself."""
        return os.path.lexists(path)

    def is_mount(self, path: str | os.PathLike[str]) -> bool:
        """Whether a file system of its own is mounted there."""
        return os.path.ismount(path)

    def rename(self, old: str, new: str) -> None:
        """Moves a file or directory; ``FileExistsError`` when ``new`` is there."""
        files.rename(pathlib.PurePath(old), pathlib.PurePath(new))

    def remove(self, path: str | os.PathLike[str]) -> None:
        """Removes a file or a tree; nothing there is fine. No link is followed."""
        files.remove_tree(pathlib.PurePath(path))
        if str(path).startswith(UNITS):
            self._units_changed = True

    # -- services

    def service(self, action: str, unit: str, *, timeout: float = 60.0) -> None:
        """``systemctl ACTION UNIT``; to stop or disable what is not there is fine.

        What is disabled is not disabled again: systemd would load every unit anew.
        """
        if action == "disable" and self._shown(unit, "UnitFileState") in NOT_ENABLED:
            return
        if self._units_changed or self._shown(unit, "NeedDaemonReload") == "yes":
            self.run(["systemctl", "daemon-reload"], timeout=60)
            self._units_changed = False
        if action in ("start", "restart"):
            # What failed often of late is refused, to whoever asks. That is for
            # what systemd starts by itself; this is somebody's wish.
            self.run(["systemctl", "reset-failed", "--", unit], timeout=60, check=False)
        words = ["systemctl", "--no-ask-password", action, "--", unit]
        try:
            self.run(words, timeout=timeout)
        except HostError as error:
            gone = self._shown(unit, "LoadState") == "not-found"
            if error.code is None or action not in ("stop", "disable") or not gone:
                raise

    def service_state(self, unit: str, within: float = 1.0) -> str:
        """active, activating, inactive, failed...; unknown if systemd is too busy."""
        return self._shown(unit, "ActiveState", within) or "unknown"

    def service_result(self, unit: str, within: float = 1.0) -> str:
        """success, signal, oom-kill, exit-code...; empty if systemd is too busy."""
        return self._shown(unit, "Result", within)

    def service_log(self, unit: str, lines: int = 50, *, latest: bool = False) -> str:
        """The newest lines that its processes wrote, oldest first; ``latest``: since
        its last start only.

        Nothing when the journal does not answer: it is asked why something else failed.
        """
        words = ["journalctl", "--quiet", "--no-pager", "--output=cat"]
        words += [f"--lines={int(lines)}", f"_SYSTEMD_UNIT={unit}"]
        # not by its invocation: what ends at once has ended before the journal has
        # looked which one it is of
        if latest and (begun := self._shown(unit, "InactiveExitTimestamp", 10)):
            words += [f"--since={begun}"]
        try:
            # what was written a moment ago may be on its way there
            self.run(["journalctl", "--sync"], timeout=10, check=False)
            return self.run(words, timeout=10, check=False).stdout
        except HostError:
            return ""

    def _shown(self, unit: str, name: str, within: float = 1.0) -> str:
        """One property of a unit, or nothing."""
        words = ["systemctl", "show", f"--property={name}", "--value"]
        words += ["--timestamp=us+utc", "--", unit]
        try:
            return self.run(words, timeout=within).stdout.strip()
        except HostError:
            return ""


def spawn(
    words: typing.Sequence[str],
    user: str | None,
    stdin: int | typing.BinaryIO,
    stdout: int | typing.BinaryIO,
) -> subprocess.Popen[bytes]:
    """A program, begun in a session of its own; ``HostError`` if it cannot be run."""
    who: dict[str, typing.Any] = {}
    if user is not None:
        uid, gid = files.owner_ids(user)
        who = {"user": uid, "group": gid, "extra_groups": os.getgrouplist(user, gid)}
    try:
        return subprocess.Popen(
            words,
            stdin=stdin,
            stdout=stdout,
            stderr=subprocess.PIPE,
            env=ENVIRONMENT,
            cwd="/",
            start_new_session=True,
            umask=0o077,
            **who,
        )
    except OSError as error:
        raise HostError(words[0], 127, error.strerror or "cannot be run") from None


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
