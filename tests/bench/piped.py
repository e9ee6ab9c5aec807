# SPDX-License-Identifier: Apache-2.0
"""Programs whose bytes run through each other, timed where they run.

It is given to a guest's own Python as a text (``python3 -c``), so it needs nothing but
the standard library. Its standard input is a JSON list of steps, one after the other:

``stages``
    Programs, each of which reads what the one before it says.
``fetched``, ``source``
    What the first one reads: objects at these URLs, or a file.
``sink``
    The file that the last one's words are; it is on the disk when the step is over.
``brought``
    URLs that they are brought to instead, in objects of ``OBJECT`` bytes.

It says a JSON object: ``seconds`` of all of them, and ``brought``, how many objects.
"""

import hashlib
import json
import os
import subprocess
import sys
import time
import typing
import urllib.request

OBJECT = 32 << 20
BLOCK = 1 << 20

Step = dict[str, typing.Any]


def run(step: Step) -> int:
    """The objects that it brought."""
    into = open(step["sink"], "wb") if step.get("sink") else None
    running: list[subprocess.Popen[bytes]] = []
    before = _first(step)
    for argv in step["stages"]:
        last = len(running) == len(step["stages"]) - 1
        after = subprocess.PIPE if not last or step.get("brought") else into
        one = subprocess.Popen(argv, stdin=before, stdout=after)
        if not isinstance(before, int):
            before.close()
        running.append(one)
        before = one.stdout
    if step.get("fetched"):
        _fetch(step["fetched"], running[0].stdin)
    count = _bring(running[-1].stdout, step["brought"]) if step.get("brought") else 0
    for argv, one in zip(step["stages"], running, strict=True):
        if one.wait():
            raise SystemExit(f"{argv[0]} ended with {one.returncode}")
    if into is not None:
        os.fsync(into.fileno())
        into.close()
    return count


def _first(step: Step) -> typing.Any:
    if step.get("fetched"):
        return subprocess.PIPE
    return open(step["source"], "rb") if step.get("source") else subprocess.DEVNULL


def _fetch(urls: list[str], sink: typing.Any) -> None:
    for url in urls:
        with urllib.request.urlopen(url) as said:  # noqa: S310 - the bench's own
            while block := said.read(BLOCK):
                sink.write(block)
    sink.close()


def _bring(source: typing.Any, urls: list[str]) -> int:
    for count, url in enumerate(urls):
        data = source.read(OBJECT)
        if not data:
            return count
        md5 = hashlib.md5(data, usedforsecurity=False).hexdigest()
        request = urllib.request.Request(  # noqa: S310 - as above
            url, data, {"ETag": md5}, method="PUT"
        )
        with urllib.request.urlopen(request) as said:  # noqa: S310 - as above
            said.read()
    raise SystemExit("more was said than there are URLs for")


def main() -> None:
    steps = json.load(sys.stdin)
    begun = time.monotonic()
    brought = sum(map(run, steps))
    print(json.dumps({"seconds": time.monotonic() - begun, "brought": brought}))


if __name__ == "__main__":
    main()
