# SPDX-License-Identifier: Apache-2.0
"""What the control plane's store of backups does: the same of every driver."""

import contextlib
import dataclasses
import hashlib
import http.client
import json
import urllib.parse

import pytest

from tests.contract.storage.benches import SIGNING, called
from trove import errors
from trove.storage.vault import carry, s3
from trove.storage.vault.protocol import Stored

ODD = (
    "p/ä ö/日本",
    "p/%41%2f",
    "p/a+b",
    "p/a b ",
    "p/what?is=it&that",
    "p/#here",
    "p/~'\"<>\\^`{|}",
    "p/:;,=@$!*()",
    "p/..x/...",
)
LARGE = 20 << 20


def md5(data):
    return hashlib.md5(data, usedforsecurity=False).hexdigest()


def listed(vault, prefix=""):
    return [one.name for one in vault.listed(prefix)]


def test_to_ensure_twice_is_fine_and_harms_nothing(vault):
    signed = vault.writes("a/1", 60)
    vault.put("a/0", b"x")
    vault.ensure()
    carry.put(signed, b"y", 60, files=True)
    assert listed(vault) == ["a/0", "a/1"]


@pytest.mark.parametrize("data", [b"", b"\x00\xff" * 7], ids=["nothing", "bytes"])
def test_what_is_put_comes_back_and_is_listed(vault, data):
    vault.put("a/1", data)
    assert vault.get("a/1", len(data)) == data
    assert list(vault.listed("a/")) == [Stored("a/1", len(data), md5(data))]
    vault.put("a/1", b"another")
    assert vault.get("a/1", 100) == b"another"
    assert list(vault.listed("a/")) == [Stored("a/1", 7, md5(b"another"))]


def test_a_guest_brings_and_fetches_without_being_known(vault, carried):
    data = bytes(range(256)) * 40
    carry.put(vault.writes("a/1", 60), data, **carried)
    assert list(vault.listed("a/1")) == [Stored("a/1", len(data), md5(data))]
    assert carry.get(vault.reads("a/1", 60), len(data), **carried) == data
    carry.put(vault.writes("a/0", 60), b"", **carried)
    assert carry.get(vault.reads("a/0", 60), 0, **carried) == b""
    assert vault.get("a/0", 0) == b""


def test_pieces_are_one_object(vault, carried):
    pieces = (b"x" * 300_000, b"", b"y", bytes(range(256)) * 4000)
    carry.put(vault.writes("a/1", 60), pieces, **carried)
    data = b"".join(pieces)
    assert list(vault.listed("a/1")) == [Stored("a/1", len(data), md5(data))]
    assert vault.get("a/1", len(data)) == data
    carry.put(vault.writes("a/0", 60), (), **carried)
    assert vault.get("a/0", 0) == b""


def test_one_larger_than_a_part(vault, carried):
    data = hashlib.sha256(b"x").digest() * (LARGE // 32)
    carry.put(vault.writes("a/1", 60), data, **carried)
    assert carry.get(vault.reads("a/1", 60), LARGE, **carried) == data
    assert vault.get("a/1", LARGE) == data
    vault.put("a/2", data)
    both = [Stored(name, LARGE, md5(data)) for name in ("a/1", "a/2")]
    assert list(vault.listed("a/")) == both


@pytest.mark.parametrize("name", ODD)
def test_odd_names(vault, carried, name):
    carry.put(vault.writes(name, 60), b"x", **carried)
    assert carry.get(vault.reads(name, 60), 1, **carried) == b"x"
    assert vault.get(name, 1) == b"x"
    vault.put(name, b"y")
    assert vault.get(name, 1) == b"y"
    assert listed(vault) == [name] == listed(vault, name)
    vault.delete([name])
    assert listed(vault) == []


@pytest.mark.parametrize(
    "name",
    [
        "",
        "/",
        "/a",
        "a/",
        "a//b",
        "..",
        "../a",
        "a/../b",
        "a/.",
        "a\x00",
        "a\nb",
        "\udc80",
    ],
    ids=ascii,
)
def test_what_is_no_name(vault, name):
    for call in (
        lambda: vault.put(name, b"x"),
        lambda: vault.get(name, 1),
        lambda: vault.writes(name, 60),
        lambda: vault.reads(name, 60),
    ):
        with pytest.raises(errors.Invalid):
            call()
    assert listed(vault) == []


@pytest.mark.parametrize("prefix", ["", "/", "/a", "a//", "../", "a/../b"])
def test_what_no_name_begins_with_deletes_nothing(vault, prefix):
    vault.put("a/1", b"x")
    with pytest.raises(errors.Invalid):
        vault.delete(["a/", prefix])
    assert listed(vault) == ["a/1"]


def test_lists_are_in_order_and_of_what_begins_so(vault, short):
    names = ["a-1", "a/1", "a/10", "a/2", "a/b/1", "a/b/2", "a0", "ab/1", "ä/1"]
    for name in reversed(names):
        vault.put(name, name.encode())
    assert listed(vault) == names
    assert listed(vault, "a/") == ["a/1", "a/10", "a/2", "a/b/1", "a/b/2"]
    assert listed(vault, "a/1") == ["a/1", "a/10"]
    assert listed(vault, "a/b") == ["a/b/1", "a/b/2"]
    assert listed(vault, "ab") == ["ab/1"]
    assert listed(vault, "b") == listed(vault, "a/1/") == []


def test_all_of_the_prefixes_goes_and_nothing_else(vault, short):
    for name in ("a/1", "a/2", "a/3", "a/b/4", "a/b/5", "ab/1", "c/1", "c/10", "d"):
        vault.put(name, b"x")
    vault.delete(["a/", "c/10", "none/"])
    assert listed(vault) == ["ab/1", "c/1", "d"]
    vault.delete(["a/", "c/10"])
    vault.delete([])
    vault.delete(one for one in ("ab/", "c", "d"))
    assert listed(vault) == []


def test_there_is_no_such_object(vault, carried):
    vault.put("a/1", b"x")
    for name in ("a/2", "a", "b/1", "a/1/2"):
        with pytest.raises(errors.NotFound):
            vault.get(name, 10)
    with pytest.raises(errors.NotFound):
        carry.get(vault.reads("a/2", 60), 1, **carried)


def test_no_more_is_read_than_was_asked_for(vault, carried):
    vault.put("a/1", b"12345")
    with pytest.raises(errors.Upstream, match="larger than 4 B"):
        vault.get("a/1", 4)
    for size in (0, 4, 6):
        with pytest.raises(errors.Upstream, match=f"not of {size} B"):
            carry.get(vault.reads("a/1", 60), size, **carried)


# -- what a URL does not do --


def asked(url, verb, data=None, headers=None):
    """The status, by a client that is not ours."""
    where = urllib.parse.urlsplit(url)
    kinds = {"http": http.client.HTTPConnection, "https": http.client.HTTPSConnection}
    with contextlib.closing(
        kinds[where.scheme](where.netloc, timeout=60)
    ) as connection:
        target = f"{where.path}?{where.query}"
        connection.request(verb, target, data, headers or {})
        with contextlib.closing(connection.getresponse()) as said:
            return said.status


signing = pytest.mark.parametrize("bench", SIGNING, ids=called, indirect=True)


@signing
def test_a_url_is_for_one_object(filled, carried):
    for signed in (filled.writes("a/2", 60), filled.reads("a/2", 60)):
        for place in ("a/1", "a/22", "a/2/1", "b/2", "a/"):
            url = signed.url.replace("a/2?", f"{place}?")
            other = dataclasses.replace(signed, url=url)
            assert other.url != signed.url
            with pytest.raises(errors.Forbidden):
                carry.put(other, b"y", **carried)
            with pytest.raises(errors.Forbidden):
                carry.get(other, 1, **carried)
    assert listed(filled) == ["a/1"] and filled.get("a/1", 1) == b"x"


@signing
def test_a_url_is_for_one_verb(filled, carried):
    writes, reads = filled.writes("a/1", 60), filled.reads("a/1", 60)
    with pytest.raises(errors.Forbidden):
        carry.put(reads, b"y", **carried)
    with pytest.raises(errors.Forbidden):
        carry.get(writes, 1, **carried)
    for signed in (writes, reads):
        for verb in ("DELETE", "POST"):
            assert asked(signed.url, verb, headers=signed.headers) in (401, 403)
    assert filled.get("a/1", 1) == b"x"


@signing
def test_a_url_lists_and_deletes_nothing_else(filled):
    for signed in (filled.writes("a/1", 60), filled.reads("a/1", 60)):
        url = signed.url.replace("/a/1?", "?")
        for verb in ("GET", "DELETE", "PUT"):
            assert asked(url, verb, headers=signed.headers) in (401, 403)
    assert listed(filled) == ["a/1"]


@signing
def test_a_url_makes_nothing_of_what_others_brought(bench, filled, carried):
    """Swift would put an object together of others, whose names are in a list."""
    signed = filled.writes("a/2", 60)
    segment = f"/{bench.container}/a/1"
    parts = json.dumps([{"path": segment, "size_bytes": None, "etag": None}]).encode()
    odd = dataclasses.replace(signed, url=signed.url + "&multipart-manifest=put")
    with contextlib.suppress(errors.Forbidden):
        carry.put(odd, parts, **carried)
        assert filled.get("a/2", 1000) == parts
        assert [one.md5 for one in filled.listed("a/2")] == [md5(parts)]
    for word in ("X-Object-Manifest", "X-Symlink-Target"):
        headers = {**signed.headers, word: segment}
        with contextlib.suppress(errors.TroveError):
            carry.put(dataclasses.replace(signed, headers=headers), b"", **carried)
        there = "a/2" in listed(filled)
        assert not there or filled.get("a/2", 1000) in (parts, b""), word


@signing
def test_a_url_copies_nothing_of_another_backups(bench, filled, carried):
    """S3 copies nothing that was not signed. Swift, up to 2.38.0, makes an object the
    copy of one that a header names, if it is of the same container: each backup has
    one of its own (ADR 30)."""
    with contextlib.closing(bench.beside()) as other:
        other.ensure()
        signed = other.writes("b/1", 60)
        for word in ("X-Copy-From", "x-amz-copy-source"):
            headers = {**signed.headers, word: f"/{bench.container}/a/1"}
            with contextlib.suppress(errors.TroveError):
                carry.put(dataclasses.replace(signed, headers=headers), b"", **carried)
            assert listed(other) == [] or other.get("b/1", 1000) == b"", word
        other.delete(["b/"])


@signing
def test_a_url_ends(filled, carried):
    with pytest.raises(errors.Forbidden):
        carry.put(filled.writes("a/2", -1), b"y", **carried)
    with pytest.raises(errors.Forbidden):
        carry.get(filled.reads("a/1", -1), 1, **carried)
    assert listed(filled) == ["a/1"]


def test_what_a_url_writes_twice(bench, vault, carried):
    """Swift lets whoever holds one write again until it ends; others do not."""
    signed = vault.writes("a/1", 60)
    carry.put(signed, b"first", **carried)
    if bench.once:
        with pytest.raises(carry.Taken):
            carry.put(signed, b"again", **carried)
        with pytest.raises(errors.Clash):
            carry.put(vault.writes("a/1", 60), b"again", **carried)
        assert vault.get("a/1", 10) == b"first"
    else:
        carry.put(signed, b"again", **carried)
        assert vault.get("a/1", 10) == b"again"


def test_what_was_shut_stays_as_it_is(bench, vault, carried):
    """No URL of before writes it again, and none gave it an end."""
    signed = vault.writes("a/1", 60)
    mortal = {**signed.headers, "X-Delete-After": "3600"}
    with contextlib.suppress(errors.Forbidden):  # S3 knows no such word
        carry.put(dataclasses.replace(signed, headers=mortal), b"x", **carried)
    early = vault.writes("a/2", 60)
    before = list(vault.listed("a/"))
    assert before
    vault.shut()
    for url in (signed, early) if not bench.once else (signed,):
        with pytest.raises((errors.Forbidden, carry.Taken)):
            carry.put(url, b"y", **carried)
    assert list(vault.listed("a/")) == before
    assert not bench.ends("a/1")
    assert carry.get(vault.reads("a/1", 60), 1, **carried) == b"x"


def test_all_of_one_owner_goes_and_its_container(bench, vault):
    for name in ("a/1", "a/2"):
        vault.put(name, b"x")
    vault.end("a/")
    assert listed(vault) == []
    vault.end("a/")
    vault.ensure()
    vault.put("a/3", b"x")
    assert listed(vault) == ["a/3"]


def test_what_comes_after_the_end_goes_with_the_next(bench, vault, carried):
    """A part that was on its way when a backup was given up: nobody can take an S3 URL
    back, so it stays until the backup itself is deleted."""
    late = vault.writes("a/1/part-0000007", 60)
    vault.put("a/1/part-0000000", b"x")
    vault.end("a/")
    with contextlib.suppress(errors.TroveError):  # of the others the place is gone
        carry.put(late, b"late", **carried)
    if isinstance(vault, s3.S3):
        assert listed(vault, "a/") == ["a/1/part-0000007"]
    vault.end("a/")
    vault.ensure()
    assert listed(vault, "a/") == []


@signing
def test_the_condition_is_part_of_the_signature(bench, filled):
    signed = filled.writes("a/1", 60)
    assert ("If-None-Match" in signed.headers) == bench.once
    if bench.once:
        for headers in ({}, {"If-None-Match": '"another"'}):
            assert asked(signed.url, "PUT", b"y", headers) == 403
        assert filled.get("a/1", 1) == b"x"


# -- what goes wrong --

CALLS = {
    "ensure": lambda vault: vault.ensure(),
    "put": lambda vault: vault.put("a/1", b"y"),
    "get": lambda vault: vault.get("a/1", 1),
    "list": lambda vault: list(vault.listed("a/")),
    "delete": lambda vault: vault.delete(["a/"]),
}


def silent(bench, error):
    """Nothing that is a credential is in what is told."""
    told = f"{error.value} {error.value!r} {error.value.facts}"
    return not any(secret in told for secret in (*bench.secrets, "temp_url", "X-Amz"))


@signing
@pytest.mark.parametrize("call", CALLS)
def test_who_has_no_right(bench, filled, call):
    with contextlib.closing(bench.stranger()) as stranger:
        with pytest.raises(errors.Forbidden) as told:
            CALLS[call](stranger)
    assert silent(bench, told)
    assert filled.get("a/1", 1) == b"x"


@pytest.mark.parametrize("call", CALLS)
def test_a_store_that_does_not_answer(bench, call):
    with contextlib.closing(bench.away()) as away:
        with pytest.raises(errors.Unavailable) as told:
            CALLS[call](away)
    assert silent(bench, told)


def test_nothing_shows_what_is_secret(bench, vault):
    signed = vault.writes("a/1", 60)
    shown = f"{vault!r} {signed!r} {signed}"
    assert not any(secret in shown for secret in bench.secrets)
    assert signed.url not in shown and "?" not in shown
