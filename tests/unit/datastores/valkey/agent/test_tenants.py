# SPDX-License-Identifier: Apache-2.0
"""Users, and no databases; the living ones are in the contract."""

import contextlib

import pytest

from trove import errors
from trove.datastores.protocol import Account, Change, Database
from trove.datastores.valkey.agent.tenants import Tenants


@pytest.fixture
def tenants(talk):
    return Tenants(lambda: contextlib.nullcontext(talk))


def test_an_order_of_databases_is_refused_and_nothing_said(talk, tenants):
    for order in (
        lambda: tenants.databases(10),
        lambda: tenants.has_database("d"),
        lambda: tenants.create_databases([Database("d")]),
        lambda: tenants.delete_database("d"),
        lambda: tenants.grant("u", "%", ["d"]),
        lambda: tenants.revoke("u", "%", "d"),
    ):
        with pytest.raises(errors.NotSupported, match="valkey.*databases"):
            order()
    assert talk.said == []


def test_an_order_of_nothing_needs_no_engine(talk, tenants):
    tenants.create_databases([])
    tenants.create_accounts([])
    assert talk.said == []


def test_no_account_has_a_host(talk, tenants):
    assert tenants.user("ann", "10.0.0.1") is None
    for order in (
        lambda: tenants.delete_account("ann", "10.0.0.1"),
        lambda: tenants.change_account("ann", "10.0.0.1", Change(password="p")),
    ):
        with pytest.raises(errors.UserNotFound):
            order()
    assert talk.said == []


def test_a_user_is_made(talk, tenants):
    tenants.create_accounts([Account("ann", "%", (), "p")])
    assert talk.said[-1] == ("ACL", "SAVE")
