# SPDX-License-Identifier: Apache-2.0
"""A piece of a log on its way to a store, whose certificate is looked at."""

import pytest

from tests.answering import privately, serving
from trove import errors
from trove.guestagent import upload
from trove.guestagent.upload import Target


def brought(server, **about):
    server.deed = lambda request: (request.body(), request.say(201))
    upload.put(Target(f"{server.url}/logs/", "sig=s", **about), "log-1", b"a\nb\n")


def test_a_piece_says_how_many_lines_it_has():
    with serving() as server:
        brought(server)
    assert server.asked == ["PUT /logs/log-1?sig=s"]
    assert server.heard[0]["X-Object-Meta-Lines"] == "2"


def test_a_store_of_an_authority_that_is_told_with_it(tmp_path):
    with privately(tmp_path) as (server, authority):
        brought(server, authorities=authority)
        assert server.asked == ["PUT /logs/log-1?sig=s"]
        with pytest.raises(errors.Upstream, match="SSLCertVerificationError"):
            brought(server)
        with pytest.raises(errors.Invalid, match="authorities"):
            brought(server, authorities="nobody")
    assert len(server.asked) == 1


@pytest.mark.parametrize("url", ["", "ftp://store/", "https:///logs/"])
def test_what_is_no_store(url):
    with pytest.raises(errors.Invalid):
        upload.put(Target(url, "sig=s"), "log-1", b"")
