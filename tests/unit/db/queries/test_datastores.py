# SPDX-License-Identifier: Apache-2.0
"""Datastores: who sees which, and what a create gets."""

import pytest

from trove import errors
from trove.db.queries import datastores


@pytest.fixture
def known(database):
    """mariadb 10.11 (default), two of 11.4, 11.8 inactive; redis, all inactive."""
    with database.transaction() as tx:
        made = {
            "10.11": ("mariadb", "10.11", "10.11.9", {"default": True}),
            "11.4.1": ("mariadb", "11.4", "11.4.1", {}),
            "11.4.2": ("mariadb", "11.4", "11.4.2", {}),
            "11.8": ("mariadb", "11.8", "11.8.1", {"active": False}),
            "7": ("redis", "7", "7.2", {"active": False, "default": True}),
        }
        return {
            key: datastores.register_version(
                tx, datastore, name, number, manager=datastore, **more
            ).id
            for key, (datastore, name, number, more) in made.items()
        }


def test_users_see_what_they_can_ask_for(database, known):
    with database.reading() as tx:
        (offer,) = datastores.all(tx)
        assert offer.datastore.name == "mariadb"
        assert [v.number for v in offer.versions] == ["10.11.9", "11.4.1", "11.4.2"]
        assert offer.default_version == known["10.11"]
        everything = datastores.all(tx, inactive=True)
        assert [len(offer.versions) for offer in everything] == [4, 1]


def test_a_datastore_without_an_active_version_has_none_and_no_default(database, known):
    with database.reading() as tx:
        offer = datastores.find(tx, "redis")
        assert (offer.versions, offer.default_version) == ((), None)
        shown = datastores.find(tx, offer.datastore.id, inactive=True)
        assert shown.default_version == known["7"]


def test_an_unknown_datastore_is_not_found(database, known):
    with database.reading() as tx, pytest.raises(errors.DatastoreNotFound):
        datastores.find(tx, "db2")


def test_a_version_is_found_by_id_or_name(database, known):
    with database.reading() as tx:
        for which in ("10.11", known["10.11"]):
            assert datastores.version(tx, "mariadb", which)[1].id == known["10.11"]
        by_id = datastores.version_by_id(tx, known["10.11"])
        assert (by_id[0].name, by_id[1].name) == ("mariadb", "10.11")


def test_an_unknown_version_is_told_as_clients_know_it(database, known):
    with database.reading() as tx:
        with pytest.raises(errors.DatastoreVersionNotFound):
            datastores.version(tx, "mariadb", known["7"])
        with pytest.raises(errors.Invalid, match="'9'"):
            datastores.version(tx, "mariadb", "9")
        with pytest.raises(errors.DatastoreVersionNotFound):
            datastores.version_by_id(tx, "nowhere")
        with pytest.raises(errors.DatastoreVersionNotFound):
            datastores.version_by_id(tx, known["11.8"])
        assert datastores.version_by_id(tx, known["11.8"], inactive=True)


@pytest.mark.parametrize(
    ("asked", "key"),
    [
        ({"default": "mariadb"}, "10.11"),
        ({"type": "mariadb"}, "10.11"),
        ({"type": "mariadb", "version": "10.11"}, "10.11"),
        ({"type": "mariadb", "version": "11.4", "number": "11.4.2"}, "11.4.2"),
        ({"default": "mariadb", "version": "10.11", "number": "10.11.9"}, "10.11"),
    ],
)
def test_a_create_gets_what_it_asks_for(database, known, asked, key):
    with database.reading() as tx:
        datastore, version = datastores.resolve(tx, **asked)
    assert (datastore.name, version.id) == ("mariadb", known[key])


def test_a_create_may_name_a_version_by_id(database, known):
    with database.reading() as tx:
        _, version = datastores.resolve(tx, "mariadb", known["11.4.2"])
    assert version.number == "11.4.2"


@pytest.mark.parametrize(
    ("asked", "error", "says"),
    [
        ({}, errors.Invalid, "specify a datastore"),
        ({"type": "db2"}, errors.DatastoreNotFound, "db2"),
        ({"type": "mariadb", "version": "9"}, errors.Invalid, "'9' cannot be found"),
        ({"type": "mariadb", "version": "11.8"}, errors.Invalid, "cannot be found"),
        ({"type": "mariadb", "version": "11.4"}, errors.Invalid, "11.4.1, 11.4.2"),
        (
            {"type": "mariadb", "version": "10.11", "number": "10.6"},
            errors.Invalid,
            "cannot be found",
        ),
        ({"type": "redis"}, errors.Invalid, "cannot be found"),
    ],
)
def test_what_cannot_be_had_is_said(database, known, asked, error, says):
    with database.reading() as tx, pytest.raises(error, match=says):
        datastores.resolve(tx, **asked)


def test_registering_again_changes(database, known):
    with database.transaction() as tx:
        again = datastores.register_version(
            tx, "mariadb", "10.11", "10.11.9", image_id="new", active=False
        )
        assert again.id == known["10.11"]
    with database.reading() as tx:
        assert datastores.version_by_id(tx, known["10.11"], inactive=True)[
            1
        ].image_id == ("new")


def test_a_version_is_in_use_while_an_instance_lives(database, known, instance, clock):
    instance(version_id=known["10.11"])
    instance(version_id=known["11.8"], deleted_at=clock())
    with database.reading() as tx:
        assert datastores.in_use(tx, known["10.11"])
        assert not datastores.in_use(tx, known["11.8"])
        assert len(datastores.versions(tx)) == 5
