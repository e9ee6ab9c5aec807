# SPDX-License-Identifier: Apache-2.0
"""The relay: what is named passes, with a ticket; silence is bounded, and read back."""

import pytest

from trove import errors
from trove.context import Context
from trove.rpc.messages import Question, UserShown
from trove.rpc.relay import Line, Relay


class Guest:
    """Answers, or keeps its answers back."""

    def __init__(self):
        self.asked, self.silent, self.made = [], False, False

    def ticket(self):
        return "ticket-1"

    def changed(self, ticket):
        assert ticket == "ticket-1"
        return self.made

    def list_users(self, limit, after):
        return (UserShown("ann", "%", ("shop",)),)

    def delete_user(self, ticket, name, host):
        self.asked.append((ticket, name, host))
        if self.silent:
            raise errors.GuestSilent(instance="i")


class Taskmanager:
    """Both ends, without a wire between them; some die with the question in hand."""

    def __init__(self, guest, **about):
        self.relay = Relay(lambda instance, context: guest, **about)
        self.dying, self.taken = 0, 0

    def ask_guest(self, instance, question):
        self.taken += 1
        if self.taken <= self.dying:
            raise errors.Unanswered(what="trove-taskmanager")
        return self.relay.ask(Context(), instance, question)


@pytest.fixture
def guest():
    return Guest()


def test_a_look_is_answered_as_the_guest_answers(guest):
    line = Line(Taskmanager(guest), "i")
    assert line.list_users(limit=2, after=None) == (UserShown("ann", "%", ("shop",)),)


def test_a_change_carries_the_ticket_that_the_guest_gave(guest):
    Line(Taskmanager(guest), "i").delete_user(name="ann", host="%")
    assert guest.asked == [("ticket-1", "ann", "%")]


def test_a_lost_answer_is_read_back(guest):
    guest.silent = True
    line = Line(Taskmanager(guest), "i")
    with pytest.raises(errors.GuestSilent):
        line.delete_user(name="ann", host="%")
    guest.made = True
    line.delete_user(name="ann", host="%")


def test_a_look_that_a_dead_taskmanager_took_is_asked_of_another(guest):
    taskmanager = Taskmanager(guest)
    taskmanager.dying = 1
    assert Line(taskmanager, "i").list_users(limit=2, after=None)
    taskmanager.taken, taskmanager.dying = 0, 2
    with pytest.raises(errors.Unavailable):
        Line(taskmanager, "i").list_users(limit=2, after=None)
    assert taskmanager.taken == 2


def test_a_change_is_never_asked_twice(guest):
    taskmanager = Taskmanager(guest)
    taskmanager.dying = 1
    with pytest.raises(errors.Unavailable):
        Line(taskmanager, "i").delete_user(name="ann", host="%")
    assert (taskmanager.taken, guest.asked) == (1, [])


@pytest.mark.parametrize("name", ["prepare", "stop_database", "ticket", "nonsense"])
def test_nothing_else_passes(guest, name):
    with pytest.raises(errors.Forbidden):
        Relay(lambda *_: guest).ask(Context(), "i", Question(name, {}))
    with pytest.raises(AttributeError):
        getattr(Line(Taskmanager(guest), "i"), name)


def test_a_silent_guest_holds_few_threads(guest):
    taskmanager = Taskmanager(guest, most=0)
    with pytest.raises(errors.GuestSilent):
        Line(taskmanager, "i").list_users(limit=2, after=None)
