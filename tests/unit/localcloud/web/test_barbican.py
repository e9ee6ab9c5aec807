# SPDX-License-Identifier: Apache-2.0
"""Barbican on its own; what it does for clients is in tests/contract/keymanager."""

from trove.localcloud import things

PATH = "/key-manager/v1/secrets"
SECRET = {"name": "n", "payload": "hush hush", "payload_content_type": "text/plain"}


def made(web, **about):
    body = {**SECRET, **about}
    return web("POST", PATH, body, status=201)["secret_ref"].rpartition("/")[2]


def test_a_payload_is_sealed_in_its_row(web):
    row = web.get(things.Secret, made(web))
    assert "hush" not in row.payload and "hush" not in repr(row)


def test_what_has_ended_is_not_there_any_more(web):
    id = made(web, expiration="2999-01-01T00:00:00")
    row = web.get(things.Secret, id)
    row.about["expiration"] = "2001-01-01T00:00:00"
    web.put(row)
    web("GET", f"{PATH}/{id}", status=404)
    assert web("GET", PATH)["total"] == 0


def test_what_is_no_date_is_refused(web):
    web("POST", PATH, {**SECRET, "expiration": "soon"}, status=400)
