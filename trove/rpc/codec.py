# SPDX-License-Identifier: Apache-2.0
"""The codec: dataclasses to plain JSON values and back, by their annotations.

Writing is easy; reading is strict, because a guest may be anybody's by now: a missing
field, a wrong type, a text over its bound, a message too deep or too large is
``errors.Invalid``. A field that nobody declared is dropped, and no value of a message
ever names a class: the declaration alone says what is made.
"""

import dataclasses
import functools
import math
import types
import typing

from trove import errors
from trove.rpc import messages

FROM_GUEST = 64 * 1024
"""The largest message a guest may send, in characters of its values."""

TO_GUEST = 1024 * 1024
"""The largest message a guest is sent."""

DEPTH = 16
"""How deep values may nest."""

_OVERHEAD = 4
_INTEGER = 2**63
_PLAIN = (str, int, float, bool, type(None))


def encode(value: typing.Any) -> typing.Any:
    """``value`` as JSON has it; ``TypeError`` for what no message can carry."""
    if isinstance(value, _PLAIN):
        return value
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {
            field.name: encode(getattr(value, field.name))
            for field in dataclasses.fields(value)
        }
    if isinstance(value, dict):
        return {_key(key): encode(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [encode(inner) for inner in value]
    raise TypeError(f"a message cannot carry {type(value).__name__}")


def _key(key: object) -> str:
    if not isinstance(key, str):
        raise TypeError(f"a message's keys are texts, not {type(key).__name__}")
    return key


def weigh(data: object, largest: int) -> None:
    """Refuse data that is too large, too deep, or not JSON at all.

    Runs before anything else looks at the data, and without recursion.
    """
    weight = 0
    todo: list[tuple[object, int]] = [(data, 0)]
    while todo:
        value, depth = todo.pop()
        if depth > DEPTH:
            raise errors.Invalid(why="the message is nested too deeply")
        weight += _OVERHEAD
        if isinstance(value, str):
            weight += _bytes(value)
        elif isinstance(value, dict):
            for key, inner in value.items():
                weight += _bytes(key) if isinstance(key, str) else _OVERHEAD
                todo.append((inner, depth + 1))
        elif isinstance(value, list):
            todo.extend((inner, depth + 1) for inner in value)
        elif isinstance(value, int):
            weight += value.bit_length() // 3
        elif not isinstance(value, _PLAIN):
            raise errors.Invalid(why="the message holds what JSON cannot")
        # Counted as it goes, so that a huge list is left at its bound, not its end.
        if weight + len(todo) > largest:
            raise errors.Invalid(why="the message is too large")


def _bytes(text: str) -> int:
    return len(text.encode("utf-8", "surrogatepass"))


def decode(kind: typing.Any, data: object, where: str = "message") -> typing.Any:
    """The value of ``kind`` that ``data`` stands for; ``errors.Invalid`` if none."""
    return _decode(kind, data, where, messages.TEXT)


def check(kind: typing.Any) -> None:
    """``TypeError`` if ``kind`` is no type that ``decode`` can read: told at import."""
    if kind in (str, int, float, bool, type(None), typing.Any):
        return
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin in (typing.Union, types.UnionType):
        for inner in arguments:
            check(inner)
    elif origin is list or (origin is tuple and arguments[-1:] == (Ellipsis,)):
        check(arguments[0])
    elif origin is dict and arguments[0] is str:
        check(arguments[1])
    elif isinstance(kind, type) and dataclasses.is_dataclass(kind):
        for inner, _bound in _fields(kind).values():
            check(inner)
    else:
        raise TypeError(f"no message can carry {kind}")


@functools.cache
def _fields(kind: type) -> dict[str, tuple[typing.Any, int]]:
    """Each field's type, and the bound of its texts."""
    hints = typing.get_type_hints(kind)
    return {
        field.name: (hints[field.name], field.metadata.get("max", messages.TEXT))
        for field in dataclasses.fields(kind)
    }


def _wrong(where: str, wanted: str) -> errors.Invalid:
    return errors.Invalid(why=f"{where} must be {wanted}")


def _decode(kind: typing.Any, data: object, where: str, bound: int) -> typing.Any:
    if kind in _SCALARS:
        return _SCALARS[kind](data, where, bound)
    if kind is typing.Any:
        return _anything(data, where, bound)
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin in (typing.Union, types.UnionType):
        return _one_of(arguments, data, where, bound)
    if origin in (list, tuple):
        if not isinstance(data, list):
            raise _wrong(where, "a list")
        # No field by its index: a fault must not be as long as the list.
        inner = [_decode(arguments[0], one, f"{where}[]", bound) for one in data]
        return origin(inner)
    if origin is dict:
        if not isinstance(data, dict):
            raise _wrong(where, "an object")
        return {
            _text(key, f"{where} key", bound): _decode(
                arguments[1], inner, f"{where}{{}}", bound
            )
            for key, inner in data.items()
        }
    return _dataclass(kind, data, where)


def _dataclass(kind: type, data: object, where: str) -> typing.Any:
    if not isinstance(data, dict):
        raise _wrong(where, "an object")
    values = {
        name: _decode(inner, data[name], f"{where}.{name}", bound)
        for name, (inner, bound) in _fields(kind).items()
        if name in data
    }
    for field in dataclasses.fields(kind):
        if (
            field.name not in values
            and field.default is dataclasses.MISSING
            and field.default_factory is dataclasses.MISSING
        ):
            raise errors.Invalid(why=f"{where}.{field.name} is missing")
    return kind(**values)


def _one_of(
    kinds: tuple[typing.Any, ...], data: object, where: str, bound: int
) -> typing.Any:
    others = [kind for kind in kinds if kind is not type(None)]
    if data is None and len(others) < len(kinds):
        return None
    for kind in others[:-1]:
        try:
            return _decode(kind, data, where, bound)
        except errors.Invalid:
            continue
    return _decode(others[-1], data, where, bound)


def _anything(data: object, where: str, bound: int) -> object:
    """Any JSON value: only its texts are looked at."""
    if isinstance(data, str):
        return _text(data, where, bound)
    if isinstance(data, list):
        return [_anything(one, f"{where}[]", bound) for one in data]
    if isinstance(data, dict):
        return {
            _text(key, f"{where} key", bound): _anything(one, f"{where}{{}}", bound)
            for key, one in data.items()
        }
    if isinstance(data, float):
        return _real(data, where, bound)
    if isinstance(data, int) and not isinstance(data, bool):
        return _integer(data, where, bound)
    if data is None or isinstance(data, bool):
        return data
    raise _wrong(where, "a JSON value")


def _text(data: object, where: str, bound: int) -> str:
    if not isinstance(data, str):
        raise _wrong(where, "a text")
    if len(data) > bound:
        raise errors.Invalid(why=f"{where} is longer than {bound} characters")
    # Half a surrogate cannot be stored, and NUL ends a text in some databases.
    if "\0" in data or not _is_unicode(data):
        raise _wrong(where, "a text of whole characters")
    return data


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _integer(data: object, where: str, bound: int) -> int:
    if not isinstance(data, int) or isinstance(data, bool):
        raise _wrong(where, "an integer")
    if not -_INTEGER <= data < _INTEGER:
        raise _wrong(where, "an integer of 64 bits")
    return data


def _real(data: object, where: str, bound: int) -> float:
    if isinstance(data, bool) or not isinstance(data, int | float):
        raise _wrong(where, "a number")
    if isinstance(data, int):
        data = _integer(data, where, bound)
    if not math.isfinite(data):
        raise _wrong(where, "a finite number")
    return float(data)


def _boolean(data: object, where: str, bound: int) -> bool:
    if not isinstance(data, bool):
        raise _wrong(where, "true or false")
    return data


def _nothing(data: object, where: str, bound: int) -> None:
    if data is not None:
        raise _wrong(where, "null")


_SCALARS: dict[typing.Any, typing.Callable[[object, str, int], typing.Any]] = {
    str: _text,
    int: _integer,
    float: _real,
    bool: _boolean,
    type(None): _nothing,
}
