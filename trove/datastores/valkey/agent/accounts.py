# SPDX-License-Identifier: Apache-2.0
"""The users of tenants in Valkey: its access list, which is a file beside the data.

What is said to a running server it writes down itself, atomically. If it cannot, it
reads what it had written before, so that nobody can enter by what a restart would lose.
"""

import typing

from trove import errors
from trove.datastores.protocol import Account, Change
from trove.datastores.unit import scrub
from trove.datastores.valkey.agent.rights import ROOT, hashed, rules
from trove.datastores.valkey.agent.wire import Refusal, Talk
from trove.datastores.valkey.spec import DATASTORE, NAMING

WITHIN = 20.0
"""Seconds for one command; a list of many users takes its time."""

GONE = ("ACL", "DELUSER")
"""It also ends the user's conversations."""


def users(talk: Talk, limit: int, after: str | None) -> list[Account]:
    """A page of accounts."""
    names = sorted(filter(_legal, talk.ask("ACL", "USERS", within=WITHIN)), key=_key)
    page = [name for name in names if after is None or _key(name) > after]
    return [Account(name) for name in page[:limit]]


def user(talk: Talk, name: str) -> Account | None:
    """One account, if it is there and a tenant's."""
    return Account(name) if _hashes(talk, name) is not None else None


def create_accounts(talk: Talk, accounts: typing.Sequence[Account]) -> None:
    """Has them be there with the password of the order."""
    wanted = [(account.name, _checked(talk, account)) for account in accounts]
    _change(talk, [_set(name, hashes) for name, hashes in wanted])


def change_account(talk: Talk, name: str, change: Change) -> None:
    """Another name or password; a user of another name enters anew."""
    hashes = _there(talk, name)
    if change.host not in (None, "%"):
        raise errors.Invalid(why=f"The user {name} can have no host.")
    new = name if change.name is None else change.name
    if change.password is not None:
        NAMING.check_password(change.password)
        hashes = [hashed(change.password)]
    if new == name:
        _change(talk, [_set(name, hashes)])
        return
    NAMING.check_user(new)
    if _hashes(talk, new) is not None:
        raise errors.Invalid(why=f"There is a user {new} already.")
    _change(talk, [_set(new, hashes), (*GONE, name)])


def delete_account(talk: Talk, name: str) -> None:
    """Its conversations end, and it cannot enter."""
    _there(talk, name)
    _change(talk, [(*GONE, name)])


def enable_root(talk: Talk, password: str) -> None:
    """A user who may do what tenants may, and see what they are slow with."""
    NAMING.check_password(password)
    _change(talk, [_set(ROOT, [hashed(password)])])


def disable_root(talk: Talk) -> None:
    """Nobody of that name, whether there was one or not."""
    _change(talk, [(*GONE, ROOT)])


def _checked(talk: Talk, account: Account) -> list[str]:
    """The hashes that an account is to have."""
    NAMING.check_user(account.name)
    if account.databases:
        raise errors.NotSupported(datastore=DATASTORE.name, what="databases")
    if account.password is not None:
        NAMING.check_password(account.password)
        return [hashed(account.password)]
    found = _hashes(talk, account.name)
    if found is None:
        raise errors.Invalid(why=f"User {account.name} needs a password.")
    return found


def _there(talk: Talk, name: str) -> list[str]:
    found = _hashes(talk, name)
    if found is None:
        raise errors.UserNotFound(user=f"{name}@%")
    return found


def _hashes(talk: Talk, name: str) -> list[str] | None:
    """Of a tenant's passwords; None: there is no such tenant."""
    if not _legal(name):
        return None
    said = talk.ask("ACL", "GETUSER", name, within=WITHIN)
    if said is None:
        return None
    facts = dict(zip(said[::2], said[1::2], strict=True))
    return [f"#{each}" for each in facts["passwords"]]


def _set(name: str, hashes: typing.Iterable[str]) -> tuple[str, ...]:
    return ("ACL", "SETUSER", name, *rules(name, hashes))


def _change(talk: Talk, commands: typing.Sequence[tuple[str, ...]]) -> None:
    """All of them at once, and written down; or none."""
    talk.ask("MULTI", within=WITHIN)
    for words in commands:
        talk.ask(*words, within=WITHIN)
    for said in talk.ask("EXEC", within=WITHIN):
        if isinstance(said, Exception):
            raise said
    try:
        talk.ask("ACL", "SAVE", within=WITHIN)
    except Refusal as refused:
        talk.ask("ACL", "LOAD", within=WITHIN)
        raise errors.EngineFailed(why=scrub(str(refused))) from refused


def _key(name: str) -> str:
    return f"{name}@%"


def _legal(name: str) -> bool:
    try:
        NAMING.check_user(name)
    except errors.Invalid:
        return False
    return True
