# SPDX-License-Identifier: Apache-2.0
"""A small HTTP client: it keeps connections where the server lets it, and time."""

import asyncio
import contextlib
import json
import time
import typing

from tests.bench.target import Plain, Target


class Line:
    """One connection to a target, made again when it was closed."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def send(self, request: bytes) -> tuple[int, bytes]:
        """Status and body."""
        if self._streams is None:
            self._streams = await asyncio.open_connection(
                self._target.host, self._target.port, limit=1 << 22
            )
        reader, writer = self._streams
        writer.write(request)
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
        status = int(head.split(" ", 2)[1])
        length = head.partition("\r\ncontent-length:")[2].partition("\r\n")[0]
        body = await (reader.readexactly(int(length)) if length else reader.read())
        if not length or "\r\nconnection: close" in head or head.startswith("http/1.0"):
            await self.close()
        return status, body

    async def close(self) -> None:
        if self._streams is not None:
            self._streams[1].close()
            with contextlib.suppress(OSError):
                await self._streams[1].wait_closed()
            self._streams = None


def request(
    target: Target, method: str, path: str, project: str = "", body: Plain | None = None
) -> bytes:
    """The bytes of a request; a path below the project's where there is one."""
    data = b"" if body is None else json.dumps(body).encode()
    whole = f"/v1.0/{project}{path}" if project else path
    lines = [f"{method} {whole} HTTP/1.1", f"Host: {target.host}:{target.port}"]
    lines += ["Accept: application/json"]
    if project:
        lines.append(f"X-Auth-Token: {target.token(project)}")
    if body is not None:
        lines.append("Content-Type: application/json")
    if body is not None or method == "POST":
        lines.append(f"Content-Length: {len(data)}")
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + data


class Answers:
    """What came back of many, and when."""

    def __init__(self) -> None:
        self.seconds: list[float] = []
        self.bodies: list[bytes] = []
        self.faults: list[str] = []
        self.wall = 0.0

    @property
    def rate(self) -> float:
        return len(self.seconds) / self.wall

    def quantile(self, part: float) -> float:
        """Of the seconds that one took."""
        ordered = sorted(self.seconds)
        return ordered[min(len(ordered) - 1, int(part * len(ordered)))]


async def ask(
    target: Target,
    requests: typing.Iterator[bytes],
    at_once: int,
    until: typing.Callable[[int], bool],
) -> Answers:
    """So many at once, until there is no more or ``until`` (by the number) says so."""
    answers = Answers()
    begun = time.perf_counter()

    async def work() -> None:
        line = Line(target)
        for each in requests:
            started = time.perf_counter()
            status, body = await line.send(each)
            answers.seconds.append(time.perf_counter() - started)
            answers.bodies.append(body)
            if status >= 300:
                answers.faults.append(f"{status} {body[:200]!r}")
            if until(len(answers.seconds)):
                break
        await line.close()

    await asyncio.gather(*(work() for _ in range(at_once)))
    answers.wall = time.perf_counter() - begun
    return answers
