# SPDX-License-Identifier: Apache-2.0
"""The relay: what the API asks of a guest goes through a taskmanager, which signs it.

The API is what strangers talk to, so it holds no key that guests obey, and has no way
to their broker (ADR 11). A taskmanager passes on what is named here, and nothing else.
``Line`` is the API's end, ``pass_on`` the taskmanager's; both follow ``rpc.guest``.

A change first asks for a ticket. Is its answer lost, the guest is asked once whether it
was made; does it not say, the change is over as well: its ticket will not be good when
the guest wakes. A look that a taskmanager took and did not answer is asked once more:
another may live.
"""

import functools
import threading
import typing

from trove import errors
from trove.context import Context
from trove.rpc import codec
from trove.rpc.guest import Guest
from trove.rpc.messages import Question

LOOKS = frozenset(
    {
        "list_databases",
        "has_database",
        "list_users",
        "show_user",
        "defaults",
        "ping",
        "machine",
        "list_logs",
        "certificate",
        "tls",
        "list_modules",
        "list_copies",
    }
)
CHANGES = frozenset(
    {
        "create_databases",
        "delete_database",
        "create_users",
        "change_users",
        "delete_user",
        "grant",
        "revoke",
        "enable_root",
        "disable_root",
        "set_log",
        "publish_log",
        "forget_log",
    }
)

AT_ONCE = 4
"""Questions to one guest under way in one taskmanager. A guest that does not answer
must not hold the threads that others wait for."""

Guests = typing.Callable[[str, Context], typing.Any]
"""Makes the proxy of an instance's guest."""

UNUSED = "-"
"""In the place of the ticket, which the API neither has nor sees."""


class Line:
    """The API's end: the guest of one instance, as far as it may be asked."""

    def __init__(self, taskmanager: typing.Any, instance: str) -> None:
        self._taskmanager, self._instance = taskmanager, instance

    def __getattr__(self, name: str) -> typing.Callable[..., typing.Any]:
        if name not in LOOKS | CHANGES:
            raise AttributeError(f"no guest is asked for {name}")
        return functools.partial(self._ask, name)

    def _ask(self, name: str, /, *given: typing.Any, **named: typing.Any) -> typing.Any:
        method = Guest.methods()[name]
        ticket = (UNUSED,) if name in CHANGES else ()
        question = Question(name, method.bind(*ticket, *given, **named))
        ask = functools.partial(
            self._taskmanager.ask_guest, instance=self._instance, question=question
        )
        try:
            answer = ask()
        except errors.Unanswered:
            if name not in LOOKS:
                raise
            answer = ask()
        return codec.decode(method.answer, answer, "answer")


class Relay:
    """The taskmanager's end."""

    def __init__(self, guests: Guests, most: int = AT_ONCE) -> None:
        self._guests, self._most = guests, most
        self._lock = threading.Lock()
        self._busy: dict[str, int] = {}

    def ask(self, context: Context, instance: str, question: Question) -> typing.Any:
        """The guest's answer, as plain values; raises what the guest raised."""
        name = question.method
        if name not in LOOKS | CHANGES:
            raise errors.Forbidden(what=f"ask a guest for {name[:40]}")
        method = Guest.methods()[name]
        values = method.read(question.arguments)
        self._enter(instance)
        try:
            guest = self._guests(instance, context)
            if name in LOOKS:
                return codec.encode(getattr(guest, name)(**values))
            return self._change(guest, name, values)
        finally:
            self._leave(instance)

    def _change(
        self, guest: typing.Any, name: str, values: dict[str, typing.Any]
    ) -> None:
        ticket = guest.ticket()
        try:
            getattr(guest, name)(**{**values, "ticket": ticket})
        except errors.GuestSilent:
            # The answer may be lost, and the deed done: read it back
            if not guest.changed(ticket):
                raise

    def _enter(self, instance: str) -> None:
        with self._lock:
            if self._busy.get(instance, 0) >= self._most:
                raise errors.GuestSilent(instance=instance)
            self._busy[instance] = self._busy.get(instance, 0) + 1

    def _leave(self, instance: str) -> None:
        with self._lock:
            self._busy[instance] -= 1
            if not self._busy[instance]:
                del self._busy[instance]
