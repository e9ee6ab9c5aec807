# SPDX-License-Identifier: Apache-2.0
"""JSON and XML in and out, by one rule.

A dict is an element; those of its keys that ``ATTRIBUTES`` names for that element are
attributes, the others child elements with text; a list is the plural element with
singular children; what is None is absent. On the way in the namespace is ignored, an
attribute and a child element mean the same, and the request's schema gives the texts
their types back. The resources never see a format.

What comes in is bounded in depth, and no text that could not be stored (NUL, half a
surrogate pair) passes.
"""

import json
import re
import typing
import xml.etree.ElementTree as plain_xml
from collections.abc import Mapping

import defusedxml
import defusedxml.ElementTree
from lxml import etree

from trove import errors
from trove.api import faults

JSON = "application/json"
XML = "application/xml"
NAMESPACE = "http://docs.openstack.org/database/api/v1.0"
NIL = "{http://www.w3.org/2001/XMLSchema-instance}nil"
DEEPEST = 24
CHARSETS = {"utf-8", "utf8", "us-ascii", "ascii"}

ATTRIBUTES: dict[str, frozenset[str]] = {
    name: frozenset(keys.split())
    for name, keys in {
        "instance": "status hostname id name created updated host server_id local_id "
        "task_description deleted deleted_at tenant_id",
        "volume": "size used id",
        "flavor": "id ram name",
        "link": "href rel",
        "database": "name",
        "user": "name password host",
        "configuration": "id name description datastore_version_id",
        "quotas": "instances volumes backups",
        **dict.fromkeys(faults.KEYS.values(), "code retryAfter"),
    }.items()
}
"""The elements with a fixed list; of any other, every scalar is an attribute."""

SINGULARS = {
    "addresses": "address",
    "backup_strategies": "backup_strategy",
    "datastore-versions": "version",
}
"""Plurals that do not just end in s."""

SCALARS = ("boolean", "integer", "number", "string")

_STEPS = re.compile(r'"(?:[^"\\]|\\.)*+"?|([\[{])|([\]}])', re.DOTALL)
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
_NO_XML_CHARACTER = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_XML_NAME = re.compile(r"\A[A-Za-z_][\w.-]*\Z")

Schema = Mapping[str, typing.Any]
Plain = typing.Any


# -- what a request says of itself --------------------------------------------------


def wants_xml(accept: str | None) -> bool:
    """Whether the answer is XML: the first known kind of ``Accept`` decides."""
    for offer in (accept or "").split(","):
        kind, *parameters = [part.strip().lower() for part in offer.split(";")]
        if any(re.fullmatch(r"q=0(\.0*)?", each) for each in parameters):
            continue
        if kind in (XML, "text/xml"):
            return True
        if kind in (JSON, "*/*", "application/*"):
            return False
    return False


def read(
    data: bytes, content_type: str | None, schema: Schema, bare: bool = False
) -> Plain:
    """A body, typed; raises ``errors.Invalid`` and ``UnsupportedMediaType``.

    ``bare``: the schema is of the body itself, which in XML has a root all the same.
    """
    kind, charset = _kind(content_type)
    if kind not in (JSON, XML, "text/xml"):
        raise faults.UnsupportedMediaType()
    body = _from_json(data, charset) if kind == JSON else _from_xml(data, schema, bare)
    _refuse_unstorable(body)
    return body


def write(body: dict[str, typing.Any], as_xml: bool, bare: str = "") -> bytes:
    """A view with its root key, for the wire.

    ``bare`` names one that has no root key in JSON: in XML there is always a root.
    """
    if as_xml:
        return _to_xml({bare: body} if bare else body)
    return json.dumps(body, separators=(", ", ": ")).encode()


def _kind(content_type: str | None) -> tuple[str, str | None]:
    kind, *parameters = [p.strip() for p in (content_type or JSON).split(";")]
    charset = None
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip().lower() == "charset":
            charset = value.strip().strip('"').lower()
    return kind.lower(), charset


def _refuse_unstorable(body: Plain) -> None:
    todo = [body]
    while todo:
        value = todo.pop()
        if isinstance(value, str):
            if _UNSTORABLE.search(value):
                raise errors.Invalid("The body has a character that cannot be stored.")
        elif isinstance(value, dict):
            todo.extend(value)
            todo.extend(value.values())
        elif isinstance(value, list):
            todo.extend(value)


# -- JSON ---------------------------------------------------------------------------


def _from_json(data: bytes, charset: str | None) -> Plain:
    if charset is not None and charset not in CHARSETS:
        raise errors.Invalid("JSON is read in UTF-8 only.")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        raise errors.Invalid("The body is not valid UTF-8.") from None
    _refuse_deep(text)
    try:
        return json.loads(
            text,
            parse_constant=_no_number,
            parse_float=_finite,
            object_pairs_hook=_once,
        )
    except ValueError:
        # the parser's own sentence repeats nothing, but its error holds the whole text
        raise errors.Invalid("The body is not valid JSON.") from None


def _refuse_deep(text: str) -> None:
    """Before parsing: the parser's own bound is the stack's."""
    depth = 0
    for step in _STEPS.finditer(text):
        if step[1]:
            depth += 1
            if depth > DEEPEST:
                raise errors.Invalid("The body is nested too deeply.")
        elif step[2]:
            depth -= 1


def _no_number(name: str) -> typing.NoReturn:
    raise ValueError(f"{name} is not JSON")


def _once(pairs: list[tuple[str, Plain]]) -> dict[str, Plain]:
    """An object; which of two equal keys counts, everybody would guess differently."""
    made = dict(pairs)
    if len(made) < len(pairs):
        raise ValueError("a key is there twice")
    return made


def _finite(text: str) -> float:
    value = float(text)
    if value in (float("inf"), float("-inf")):
        raise ValueError("the number is too large")
    return value


# -- XML in -------------------------------------------------------------------------


class _Shallow(plain_xml.TreeBuilder):
    """Builds elements without namespaces, not too deep."""

    def __init__(self) -> None:
        super().__init__()
        self._depth = 0

    def start(self, tag: str, attrs: dict[str, str]) -> typing.Any:
        self._depth += 1
        if self._depth > DEEPEST:
            raise errors.Invalid("The body is nested too deeply.")
        return super().start(_local(tag), attrs)

    def end(self, tag: str) -> typing.Any:
        self._depth -= 1
        return super().end(_local(tag))


def _local(tag: str) -> str:
    return tag.rpartition("}")[2]


def _from_xml(data: bytes, schema: Schema, bare: bool) -> Plain:
    parser = defusedxml.ElementTree.DefusedXMLParser(
        target=_Shallow(), forbid_dtd=True, forbid_entities=True, forbid_external=True
    )
    try:
        parser.feed(data)
        root = parser.close()
    except defusedxml.DefusedXmlException:
        raise errors.Invalid(
            "A document type or an entity is not accepted in XML."
        ) from None
    except (plain_xml.ParseError, ValueError, LookupError):
        raise errors.Invalid("The body is not well-formed XML.") from None
    if bare:
        return _typed(root, schema)
    known = schema.get("properties", {})
    return {root.tag: _typed(root, known.get(root.tag, {}))}


def _types(schema: Schema) -> list[str]:
    """The types that a schema allows, through anyOf."""
    kinds = schema.get("type", [])
    found = [kinds] if isinstance(kinds, str) else list(kinds)
    for choice in schema.get("anyOf", ()):
        found.extend(_types(choice))
    if not found and "properties" in schema:
        found = ["object"]
    return found


def _typed(element: plain_xml.Element, schema: Schema) -> Plain:
    kinds = _types(schema)
    if element.get(NIL, "").lower() in ("true", "1"):
        return None
    if "array" in kinds:
        return [_typed(child, schema.get("items", {})) for child in element]
    if "object" in kinds or (not kinds and (len(element) or element.attrib)):
        return _object(element, schema)
    return scalar((element.text or "").strip(), schema)


def _object(element: plain_xml.Element, schema: Schema) -> Plain:
    if not len(element) and not element.attrib and (element.text or "").strip():
        # openstacksdk's short forms ({"volume": 5}) have an XML twin
        return scalar((element.text or "").strip(), schema)
    known = schema.get("properties", {})
    other = schema.get("additionalProperties")
    fallback = other if isinstance(other, dict) else {}
    made: dict[str, Plain] = {}
    for name, text in element.attrib.items():
        if name.startswith("{"):
            continue
        made[name] = scalar(text.strip(), known.get(name, fallback))
    for child in element:
        if child.tag in made:
            raise errors.Invalid("The body says something twice.")
        made[child.tag] = _typed(child, known.get(child.tag, fallback))
    return made


def scalar(text: str, schema: Schema) -> Plain:
    """A text as the type that the schema asks for; itself if it is none of it."""
    kinds = _types(schema)
    if "string" in kinds and not _last(kinds):
        return text
    if "enum" in schema and text.isdigit() and len(text) < 18:
        return int(text)
    if ("boolean" in kinds or "enum" in schema) and text.lower() in ("true", "false"):
        return text.lower() == "true"
    if "integer" in kinds and re.fullmatch(r"[+-]?[0-9]{1,18}", text):
        return int(text)
    if "number" in kinds and re.fullmatch(r"[+-]?[0-9]{1,18}(\.[0-9]{1,18})?", text):
        return float(text)
    return text


def _last(kinds: list[str]) -> bool:
    """Whether a text is one only when it is nothing else: the order says so."""
    scalars = [kind for kind in kinds if kind in SCALARS]
    return scalars[-1] == "string" and len(scalars) == len(SCALARS)


# -- XML out ------------------------------------------------------------------------


def _to_xml(body: dict[str, typing.Any]) -> bytes:
    """The first key is the root; the siblings of a list (its links) go into it."""
    items = iter(body.items())
    name, value = next(items)
    root = etree.Element(name, nsmap={None: NAMESPACE})
    _fill(root, name, value)
    for sibling, more in items:
        if not sibling.endswith("_links"):
            _fill(etree.SubElement(root, sibling), sibling, more)
    return etree.tostring(root, xml_declaration=True, encoding="UTF-8")


def singular(plural: str) -> str:
    """What one of a list is called."""
    if plural in SINGULARS:
        return SINGULARS[plural]
    return plural[:-1] if plural.endswith("s") and len(plural) > 1 else "item"


def _fill(element: typing.Any, name: str, value: Plain) -> None:
    if isinstance(value, dict):
        fixed = ATTRIBUTES.get(name)
        for key, inner in value.items():
            if inner is None:
                continue
            if _is_attribute(key, inner, fixed):
                element.set(key, _text(inner))
            else:
                _fill(_child(element, key), key, inner)
    elif isinstance(value, list | tuple):
        one = singular(name)
        for inner in value:
            _fill(etree.SubElement(element, one), one, inner)
    elif value is not None:
        element.text = _text(value)


def _is_attribute(key: str, value: Plain, fixed: frozenset[str] | None) -> bool:
    if isinstance(value, dict | list | tuple) or not _XML_NAME.match(key):
        return False
    return fixed is None or key in fixed


def _child(parent: typing.Any, key: str) -> typing.Any:
    if _XML_NAME.match(key):
        return etree.SubElement(parent, key)
    return etree.SubElement(parent, "entry", key=_NO_XML_CHARACTER.sub("\ufffd", key))


def _text(value: Plain) -> str:
    # a bool's str is True or False, as it was in the first XML of this API
    return _NO_XML_CHARACTER.sub("\ufffd", str(value))
