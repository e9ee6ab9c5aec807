# SPDX-License-Identifier: Apache-2.0
"""A broker is believed by the exact name in its certificate, and by no other (S15).

All certificates here are of the deployment's own authority: the name alone is wrong.
"""

import pytest

from tests.contract.rpc.test_tls import impostor, speaking_as
from trove import errors
from trove.guestagent.enrolment import accepts
from trove.service.certificates import Authority

NAMES = {
    "localhost": [
        "localhost.evil",
        "evil.localhost",
        "xlocalhost",
        "localhos",
        "localhost.evil.localhost",
        "*",
        "*.localhost",
        "l*calhost",
        "*ocalhost",
        "localhost*",
        "localhost\n",
        "\nlocalhost",
        "localhost\n.evil",
        "localhost\x00.evil",
        "evil localhost",
    ],
    # an address is one in the certificate too, never a name that looks like it
    "127.0.0.1": ["127.0.0.1", "127.0.0.1.evil", "*.0.0.1", "127.0.0.*"],
}


def told(tmp_path, host, names, addresses=()):
    """What somebody with that certificate hears of the agent at its first contact."""
    authority = Authority.create(tmp_path / "pki")
    context = speaking_as(tmp_path, authority, names, addresses)
    with impostor(context) as (port, heard):
        with pytest.raises(errors.Unavailable):
            there = [f"{host}:{port}"]
            accepts(there, "/", "guest-1", "secret", str(tmp_path / "pki" / "ca.pem"))
    return heard


@pytest.mark.parametrize(
    ("host", "name"), [(host, name) for host in NAMES for name in NAMES[host]]
)
def test_a_name_that_is_only_like_it_hears_nothing(tmp_path, host, name):
    assert told(tmp_path, host, [name]) == []


def test_an_address_of_somebody_else_hears_nothing(tmp_path):
    assert told(tmp_path, "127.0.0.1", ["localhost"], ["127.0.0.2", "::1"]) == []


def test_the_exact_name_is_spoken_to(tmp_path):
    """Those above are silent because of the name: this one is not."""
    assert told(tmp_path, "localhost", ["localhost"])[0].startswith(b"AMQP")
    assert told(tmp_path, "127.0.0.1", [], ["127.0.0.1"])[0].startswith(b"AMQP")
