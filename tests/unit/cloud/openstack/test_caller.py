# SPDX-License-Identifier: Apache-2.0
"""Neutron as a caller's token shows it: with that token, at one address only."""

import contextlib

import pytest

from trove import errors


@pytest.fixture(params=["", "/", "/v2.0", "/v2.0/"])
def caller(stub, cloud, request):
    made = cloud.seen_by(f"{stub.url}/network{request.param}", "his-token")
    with contextlib.closing(made):
        yield made


def test_what_his_token_shows_is_there(stub, caller):
    stub.on("GET", "/v2.0/networks/n1$", {"network": {"id": "n1"}})
    stub.on("GET", "/v2.0/ports/p1$", {"port": {"id": "p1"}})
    stub.on("GET", "/v2.0/subnets/s1$", {"subnet": {"id": "s1", "network_id": "n1"}})
    assert caller.network("n1") and caller.port("p1")
    assert caller.subnet("s1") == "n1"
    asked = stub.asked("GET", "/v2.0/")
    assert {one.headers["X-Auth-Token"] for one in asked} == {"his-token"}


def test_our_own_token_goes_with_it(stub, caller):
    """Neutron takes a token then that ended on the way; ours is got once."""
    stub.on("GET", "/v2.0/networks/n1$", {"network": {"id": "n1"}})
    assert caller.network("n1") and caller.network("n1")
    assert {one.headers["X-Service-Token"] for one in stub.asked("GET", "n1")} == {
        "token-1"
    }


def test_a_token_of_ours_that_is_refused_is_got_anew(stub, caller):
    def judged(request):
        fresh = request.headers["X-Service-Token"] == "token-2"
        return (200, {"network": {"id": "n1"}}) if fresh else (401, {})

    stub.on("GET", "/v2.0/networks/n1$", judged)
    assert caller.network("n1")


@pytest.mark.parametrize("status", [401, 403, 404])
def test_what_it_does_not_show_is_nothing(stub, caller, status):
    stub.on("GET", "/v2.0/", (status, {}))
    assert not caller.network("n1") and not caller.port("p1")
    assert caller.subnet("s1") is None


@pytest.mark.parametrize(
    "id", ["../ports/p1", "n1?x=1", "n1/..", "", ".", "a" * 300, "\x00", "n1#", "ñ"]
)
def test_what_is_no_id_is_not_asked(stub, caller, id):
    assert not caller.network(id)
    assert stub.requests == []


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        ((500, {}), errors.Upstream),
        ((302, {}, {"Location": "/elsewhere"}), errors.Upstream),
        ((200, b"<html>"), errors.Upstream),
        ((200, ["network"]), errors.Upstream),
        ("reset", errors.Unavailable),
    ],
)
def test_a_sick_neutron_is_no_answer(stub, caller, answer, error):
    stub.on("GET", "/v2.0/networks/n1$", answer)
    with pytest.raises(error):
        caller.network("n1")
    assert not stub.asked("GET", "elsewhere")
