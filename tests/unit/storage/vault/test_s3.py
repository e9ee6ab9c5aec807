# SPDX-License-Identifier: Apache-2.0
"""A vault that speaks S3: its library, its signatures, and what a store may answer."""

import logging
import sys
import threading
import urllib.parse
import uuid

import pytest
from werkzeug import Response

from tests import s3store
from trove import errors
from trove.storage.vault import s3
from trove.storage.vault.protocol import Stored


@pytest.fixture(scope="module")
def serving():
    with s3store.running() as store:
        yield store


@pytest.fixture
def store(serving):
    serving.instead = None
    serving.asked.clear()
    yield serving
    serving.instead = None


@pytest.fixture
def opened(store):
    made = []

    def opens(**about):
        made.append(store.vault(f"b-{uuid.uuid4()}", **about))
        return made[-1]

    yield opens
    for one in made:
        one.close()


@pytest.fixture
def vault(opened):
    made = opened()
    made.ensure()
    return made


def test_where_boto3_is_not_installed_there_is_a_sentence(monkeypatch):
    monkeypatch.setitem(sys.modules, "boto3.session", None)
    with pytest.raises(errors.Unsupported, match=r"boto3: install trove-dbaas\[s3\]"):
        s3.S3("http://127.0.0.1:1", "r", "a", "k", "b")


def test_what_is_no_endpoint():
    with pytest.raises(errors.Invalid, match="no such URL"):
        s3.S3("s3.example", "r", "a", "k", "b")


def test_what_is_signed(opened):
    vault = opened(endpoint="https://s3.example", path_style=False, region="eu-west-1")
    signed = vault.writes("a/1", 120)
    where = urllib.parse.urlsplit(signed.url)
    query = urllib.parse.parse_qs(where.query)
    assert where.hostname.endswith(".s3.example") and where.path == "/a/1"
    assert query["X-Amz-Expires"] == ["120"]
    assert query["X-Amz-SignedHeaders"] == ["host;if-none-match"]
    assert "/eu-west-1/s3/" in query["X-Amz-Credential"][0]
    assert signed.headers == {"If-None-Match": "*"}
    signed = vault.reads("a/1", 120)
    query = urllib.parse.parse_qs(urllib.parse.urlsplit(signed.url).query)
    assert query["X-Amz-SignedHeaders"] == ["host"]
    assert signed.headers == {}


def test_guests_may_have_another_way_to_the_store(opened):
    vault = opened(guests="https://10.0.0.1:9000")
    assert vault.writes("a/1", 60).url.startswith("https://10.0.0.1:9000/b-")


def test_a_bucket_is_made_where_there_is_none(store, opened):
    for region in ("us-east-1", "eu-west-1"):
        vault = opened(region=region)
        store.asked.clear()
        for _ in range(3):
            vault.ensure()
        verbs = [each.split()[0] for each in store.asked]
        assert verbs == ["HEAD", "PUT", "HEAD", "HEAD"]
        vault.put("a", b"x")


def test_who_comes_second_with_a_bucket_has_one_too(store, opened):
    def instead(request):
        if request.method == "HEAD":
            return s3store.refused(request, 404, "NoSuchBucket")
        return s3store.refused(request, 409, code)

    store.instead, code = instead, "BucketAlreadyOwnedByYou"
    opened().ensure()
    code = "BucketAlreadyExists"  # another's
    with pytest.raises(errors.Upstream, match="409 BucketAlreadyExists"):
        opened().ensure()


def test_where_there_is_no_bucket_there_is_nothing(opened):
    vault = opened()
    assert list(vault.listed("a/")) == []
    vault.delete(["a/"])
    for call in (lambda: vault.get("a/1", 1), lambda: vault.put("a/1", b"x")):
        with pytest.raises(errors.NotFound):
            call()


def test_the_proxies_of_the_environment_are_not_asked(monkeypatch, opened):
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    opened().ensure()


CALLS = {
    "ensure": lambda vault: vault.ensure(),
    "put": lambda vault: vault.put("a/1", b"x"),
    "get": lambda vault: vault.get("a/1", 1),
    "list": lambda vault: list(vault.listed("a/")),
    "delete": lambda vault: vault.delete(["a/"]),
}
ANSWERS = {
    (400, "InvalidRequest"): errors.Upstream,
    (401, "Unauthorized"): errors.Forbidden,
    (403, "AccessDenied"): errors.Forbidden,
    (409, "OperationAborted"): errors.Upstream,
    (409, "<&>"): errors.Upstream,
}


@pytest.mark.parametrize("answer", ANSWERS, ids=str)
def test_what_an_answer_means(store, vault, answer):
    store.instead = lambda request: s3store.refused(request, *answer)
    for name, call in CALLS.items():
        with pytest.raises(ANSWERS[answer]) as told:
            call(vault)
        assert type(told.value) is ANSWERS[answer], name
        message = told.value.message
        assert "<" not in message and "of the test" not in message


def test_what_was_changed_on_the_way_is_not_kept(store, vault):
    sums = []
    store.instead = lambda request: sums.append(request.headers.get("Content-MD5"))
    vault.put("a/1", b"x")
    assert sums == ["ndTkYSaMgDT1yFZOFVxnpg=="]


def test_one_that_cannot_now_is_asked_three_times(store, vault):
    store.asked.clear()
    store.instead = lambda request: s3store.refused(request, 503, "SlowDown")
    with pytest.raises(errors.Unavailable, match="503"):
        vault.put("a/1", b"x")
    assert len(store.asked) == s3.ATTEMPTS


def test_one_that_says_nothing_is_not_waited_for(store, opened, monkeypatch):
    monkeypatch.setattr(s3, "READ", 0.3)
    monkeypatch.setattr(s3, "ATTEMPTS", 1)
    vault = opened()
    over = threading.Event()

    def silent(request):
        over.wait(30)

    store.instead = silent
    with pytest.raises(errors.Unavailable, match="ReadTimeoutError"):
        vault.put("a/1", b"x")
    over.set()


def test_what_broke_off_is_not_all_of_it(store, vault):
    vault.put("a/1", b"12345")

    def instead(request):
        answer = Response(b"123", 200)
        answer.headers["Content-Length"] = "5"
        return answer if request.method == "GET" else None

    store.instead = instead
    with pytest.raises(errors.Unavailable):
        vault.get("a/1", 10)


def test_an_object_that_was_not_deleted_is_told(store, vault):
    vault.put("a/1", b"x")

    def instead(request):
        if request.method != "POST":
            return None
        rows = (f"<Error><Key>a/1</Key><Code>{code}</Code></Error>" for code in codes)
        return Response(f"<DeleteResult>{''.join(rows)}</DeleteResult>", 200)

    store.instead, codes = instead, ["AccessDenied", "InternalError"]
    with pytest.raises(errors.Forbidden):
        vault.delete(["a/"])
    codes = ["NoSuchKey", "InternalError"]
    with pytest.raises(errors.Upstream, match="InternalError"):
        vault.delete(["a/"])
    codes = ["NoSuchKey"]
    vault.delete(["a/"])


def test_they_are_deleted_many_at_once(store, vault, monkeypatch):
    monkeypatch.setattr(s3, "PAGE", 3)
    for number in range(7):
        vault.put(f"a/{number}", b"x")
    store.asked.clear()
    vault.delete(["a/"])
    verbs = [each.split()[0] for each in store.asked]
    assert verbs.count("POST") == 3 and verbs.count("DELETE") == 0
    assert list(vault.listed("")) == []


def test_a_list_that_repeats_itself_has_no_end(store, vault):
    row = "<Contents><Key>a/1</Key><Size>1</Size><ETag>&quot;x&quot;</ETag></Contents>"
    text = f"<ListBucketResult>{row}</ListBucketResult>"
    store.instead = lambda request: Response(text, 200, content_type="application/xml")
    rows = vault.listed("a/")
    assert next(rows) == Stored("a/1", 1, "x")
    with pytest.raises(errors.Upstream, match="no end"):
        next(rows)


def test_no_credential_is_in_a_log(vault, opened, caplog):
    caplog.set_level(logging.DEBUG)
    other = opened()
    other.ensure()
    other.put("a/1", b"x")
    other.writes("a/1", 60)
    with pytest.raises(errors.Forbidden):
        opened(secret_key="another-s3cr3t").ensure()
    for secret in (s3store.SECRET, "another-s3cr3t", "Signature"):
        assert secret not in caplog.text
