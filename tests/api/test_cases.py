# SPDX-License-Identifier: Apache-2.0
"""Runs the cases of ``*.yaml``: each over the real API, once in JSON and once in XML.

A case has ``name``, perhaps ``given`` (instances made before: ``active`` and
``building``, bound to ``$id`` and ``$new``; ``recycled``, to ``$gone``), and ``steps``
(or is one step itself). A step:

``ask``      ``METHOD path``; a path without a slash is below the caller's project
``finish``   an instance whose work is done before the request
``back_up``  a backup that is COMPLETED before the request
``as``       the caller (member, reader, admin, stranger, nobody, roleless)
``body``     what is sent, in the case's format; or ``raw`` bytes with ``type``
``headers``  further headers
``status``   what must come back
``answer``   what must be in the answer's body: a subset of dicts, whole lists
``absent``   dotted paths that must not be there
``empty``    true: not one byte (of a 202 and a 204, unless it says false)
``says``     a regular expression for the error's sentence
``gives``    headers that must come back, as regular expressions
``keep``     name: dotted path of the answer, for ``$name`` in later steps
``only``     json or xml, for a step that makes sense in one
"""

import json
import pathlib
import re
import typing

import pytest
import yaml

from tests.api.world import World, from_xml, like

HERE = pathlib.Path(__file__).parent


def _cases() -> list[typing.Any]:
    found = []
    for path in sorted(HERE.glob("*.yaml")):
        for case in yaml.safe_load(path.read_text()):
            for kind in ("json", "xml"):
                if case.get("only", kind) == kind:
                    name = f"{path.stem}: {case['name']} ({kind})"
                    found.append(pytest.param(case, kind == "xml", id=name))
    return found


@pytest.mark.parametrize("case, xml", _cases())
def test_case(world: World, case: dict[str, typing.Any], xml: bool) -> None:
    known = dict(world.versions)
    given = case.get("given", {})
    if "active" in given:
        known["id"] = world.active(**(given["active"] or {}))
    if "building" in given:
        known["new"] = world.created(**(given["building"] or {}))
    if "recycled" in given:
        known["gone"] = world.recycled(**(given["recycled"] or {}))
    for step in case.get("steps", [case]):
        if step.get("only", "xml" if xml else "json") == ("xml" if xml else "json"):
            _step(world, _filled(step, known), xml, known)


def _step(
    world: World, step: dict[str, typing.Any], xml: bool, known: typing.Any
) -> None:
    method, path = step["ask"].split(" ", 1)
    if "finish" in step:
        world.finish(step["finish"])
    if "back_up" in step:
        world.back_up(step["back_up"])
    raw = step.get("raw")
    answer = world.ask(
        method,
        path,
        step.get("body"),
        caller=step.get("as", "member"),
        data=raw.encode() if raw is not None else None,
        content_type=step.get("type"),
        headers=step.get("headers"),
        xml=xml,
    )
    assert answer.status_int == step["status"], answer.text
    for name, pattern in step.get("gives", {}).items():
        assert re.search(pattern, answer.headers.get(name, "")), (name, answer.headers)
    if step.get("empty", step["status"] in (202, 204)):
        assert answer.body == b""
        assert answer.status_int == 204 or answer.headers["Content-Length"] == "0"
        return
    kind = "application/xml" if xml else "application/json"
    assert answer.content_type == kind
    got = from_xml(answer.body) if xml else json.loads(answer.body)
    if answer.status_int >= 400:
        _is_envelope(got, answer.status_int)
    if "says" in step:
        (fault,) = got.values()
        assert re.search(step["says"], fault["message"]), fault
    if "answer" in step:
        expected = like(step["answer"]) if xml else step["answer"]
        _holds(expected, got, "answer")
    for path in step.get("absent", ()):
        assert _at(got, path) is _NOTHING, path
    for name, path in step.get("keep", {}).items():
        known[name] = _at(got, path)


def _is_envelope(got: dict[str, typing.Any], status: int) -> None:
    assert len(got) == 1, got
    (fault,) = got.values()
    assert str(fault["code"]) == str(status)
    assert fault["message"] and "Traceback" not in fault["message"]


def _holds(expected: typing.Any, got: typing.Any, where: str) -> None:
    if isinstance(expected, dict):
        if not expected and got in ({}, ""):
            return
        assert isinstance(got, dict), f"{where}: {got!r}"
        for key, inner in expected.items():
            assert key in got, f"{where}.{key} is missing in {got}"
            _holds(inner, got[key], f"{where}.{key}")
    elif isinstance(expected, list):
        if not expected and got in ([], ""):
            return
        assert isinstance(got, list), f"{where}: {got!r}"
        assert len(expected) == len(got), f"{where}: {got}"
        for at, inner in enumerate(expected):
            _holds(inner, got[at], f"{where}[{at}]")
    else:
        assert got == expected, f"{where}: {got!r} is not {expected!r}"


_NOTHING = object()


def _at(got: typing.Any, path: str) -> typing.Any:
    for step in path.split("."):
        if isinstance(got, list):
            if int(step) >= len(got):
                return _NOTHING
            got = got[int(step)]
        elif isinstance(got, dict) and step in got:
            got = got[step]
        else:
            return _NOTHING
    return got


def _filled(value: typing.Any, known: dict[str, typing.Any]) -> typing.Any:
    if isinstance(value, str):
        for name in sorted(known, key=len, reverse=True):
            value = value.replace(f"${name}", str(known[name]))
        return value
    if isinstance(value, dict):
        return {key: _filled(inner, known) for key, inner in value.items()}
    if isinstance(value, list):
        return [_filled(inner, known) for inner in value]
    return value
