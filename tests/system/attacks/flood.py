# SPDX-License-Identifier: Apache-2.0
"""All that a guest can send, for some seconds: run inside one that was taken over.

Threads of honest looking heartbeats, and of bodies over the limit, on as many
connections as the broker grants. Prints how it was bounded and what it got rid of.
"""

import contextlib
import json
import sys
import threading
import time

import amqp
from broker import claim, envelope, raw, taken_over

LARGE = 1024 * 1024


def connections(a, most):
    """As many as there are, up to ``most``; and the code that ended it."""
    lines, code = [], None
    try:
        while len(lines) < most:
            lines.append(a.connect())
    except amqp.exceptions.AMQPError as error:
        code = error.reply_code
    return lines, code


def channels(a, most):
    """The same for channels, over all of our connections."""
    count, code, lines = 0, None, []
    try:
        while count < most:
            lines.append(a.connect())
            for _ in range(10):
                lines[-1].channel()
                count += 1
    except amqp.exceptions.AMQPError as error:
        code = error.reply_code
    end(lines)
    return count, code


def end(lines):
    """The broker may have ended some itself."""
    for line in lines:
        with contextlib.suppress(OSError, amqp.exceptions.AMQPError):
            line.close()
        line.collect()


def pour(line, message, until, sent):
    """Publishes on one connection until the time is over, or the broker ends it."""
    count = 0
    with contextlib.suppress(OSError, amqp.exceptions.AMQPError):
        channel = line.channel()
        while time.monotonic() < until:
            channel.basic_publish(message, "trove", "trove-conductor")
            count += 1
    sent.append((count, len(message.body)))


def main():
    """Orders on stdin: ``{"them": ..., "boot": ..., "seconds": ...}``."""
    orders = json.load(sys.stdin)
    a = taken_over(orders["them"])
    found, code = channels(a, 60)
    print(json.dumps({"channels": found, "code": code}), flush=True)
    lines, code = connections(a, 40)
    print(json.dumps({"connections": len(lines), "code": code}), flush=True)
    until, sent, threads = time.monotonic() + orders["seconds"], [], []
    for number, line in enumerate(lines):
        small = envelope(claim(a.them, orders["boot"], number), user_id=a.user)
        large = raw("x" * LARGE, user_id=a.user)
        work = (line, large if number % 2 else small, until, sent)
        threads.append(threading.Thread(target=pour, args=work))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    end(lines)
    messages = sum(count for count, _ in sent)
    size = sum(count * body for count, body in sent)
    print(json.dumps({"messages": messages, "bytes": size}), flush=True)


if __name__ == "__main__":
    main()
