# SPDX-License-Identifier: Apache-2.0
"""What an object of a vault may be called, the same in every store.

A name is a path in one of them and a part of a URL in the others: what a client or a
server on the way would take for another place is refused, whoever made it up.
"""

from trove import errors

LONGEST = 1024
"""Bytes of a name; Swift's limit and S3's."""
PART = 255
"""Bytes between two slashes; what file systems allow."""
UNFINISHED = ".unfinished-"
"""How the files begin that a directory's writers have not finished."""


def checked(name: str) -> str:
    """The name itself; raises ``errors.Invalid`` for what is none."""
    if not all(map(fits, name.split("/"))) or len(name.encode()) > LONGEST:
        raise errors.Invalid(why=f"an object cannot be called {name!a:.200}")
    return name


def prefix(text: str) -> str:
    """What names may begin with, and not nothing; raises ``errors.Invalid``."""
    *folders, last = text.split("/")
    whole = last or len(folders) > 0  # "a/" names a folder, "" and "/" name all
    begun = fits(last) or last in ("", ".", "..")
    if not whole or not begun or not all(map(fits, folders)):
        raise errors.Invalid(why=f"no object's name begins with {text!a:.200}")
    return text


def fits(part: str) -> bool:
    """Whether this can stand between two slashes."""
    if part in ("", ".", "..") or part.startswith(UNFINISHED):
        return False
    if any(ord(each) < 32 or ord(each) == 127 for each in part):
        return False
    try:
        return len(part.encode()) <= PART
    except UnicodeEncodeError:  # half of a surrogate pair
        return False
