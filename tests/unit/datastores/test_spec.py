# SPDX-License-Identifier: Apache-2.0
"""What a datastore's naming allows and refuses."""

import pytest

from trove import errors
from trove.datastores import registry
from trove.datastores.spec import Budget, Naming, numbers

BOTH = pytest.mark.parametrize("datastore", registry.names())


@BOTH
@pytest.mark.parametrize(
    "name",
    ["a", "a b", "it's", 'say "hi"', "back\\slash", "50%", "naïve", "漢字", "`;--"],
)
def test_any_name_an_engine_can_store_is_legal(datastore, name):
    naming = registry.get(datastore).naming
    naming.check_password(name)
    if set(name) & set(naming.unnamed):
        with pytest.raises(errors.Invalid, match="stored"):
            naming.check_user(name)
        return
    naming.check_user(name)
    naming.check_database(name)


@BOTH
@pytest.mark.parametrize(
    "name", ["", " a", "a ", "a\x00b", "a\nb", "\ud800", "x" * 400]
)
def test_what_cannot_be_stored_is_refused(datastore, name):
    naming = registry.get(datastore).naming
    with pytest.raises(errors.Invalid):
        naming.check_user(name)
    with pytest.raises(errors.Invalid):
        naming.check_database(name)


@BOTH
@pytest.mark.parametrize("name", ["os_admin", "OS_Admin", "trove_backup"])
def test_reserved_users_are_refused_in_any_case(datastore, name):
    with pytest.raises(errors.Invalid, match="reserved"):
        registry.get(datastore).naming.check_user(name)


@pytest.mark.parametrize(
    "datastore, name", [("postgresql", "pg_monitor"), ("mariadb", "root")]
)
def test_users_that_only_one_engine_reserves(datastore, name):
    with pytest.raises(errors.Invalid, match="reserved"):
        registry.get(datastore).naming.check_user(name)


@pytest.mark.parametrize("name", ["''", "'a'", "'it's'"])
def test_a_mariadb_user_that_could_never_log_in(name):
    """The engine takes such quotes off the name that a client gives."""
    with pytest.raises(errors.Invalid, match="log in"):
        registry.get("mariadb").naming.check_user(name)
    registry.get("postgresql").naming.check_user(name)
    registry.get("mariadb").naming.check_database(name)


@pytest.mark.parametrize("name", ["'", "'a", "a'", '"a"'])
def test_a_mariadb_user_with_quotes_that_are_kept(name):
    registry.get("mariadb").naming.check_user(name)


@pytest.mark.parametrize(
    "name",
    ["\U0001f600", "_" * 33, "a" + " " * 52, "d" * 65, "#mysql50#x", "trove_internal"],
)
def test_mariadb_databases_that_it_would_store_otherwise(name):
    with pytest.raises(errors.Invalid):
        registry.get("mariadb").naming.check_database(name)


def test_a_mariadb_database_may_have_sixty_four_letters():
    registry.get("mariadb").naming.check_database("d" * 64)


def test_a_postgresql_name_is_counted_in_bytes():
    naming = registry.get("postgresql").naming
    naming.check_database("é" * 31)
    with pytest.raises(errors.Invalid, match="63 bytes"):
        naming.check_database("é" * 32)


@pytest.mark.parametrize("password", ["", "x" * 257, "a\x00b", "\ud800"])
def test_a_refused_password_is_never_repeated(password):
    with pytest.raises(errors.Invalid) as refused:
        Naming(max_user=9, max_database=9).check_password(password)
    assert not password or password not in str(refused.value)


def test_a_budget_weighs_dear_characters():
    assert Budget(4, dear="_", each=2).holds("a_b")
    assert not Budget(4, dear="_", each=2).holds("_a_")


@pytest.mark.parametrize(
    ("name", "version", "chained"),
    [
        ("mariadb", "10.11.6", True),
        ("mariadb", "", True),
        ("postgresql", "15.8", False),
        ("postgresql", "17", True),
        ("postgresql", "17.6 (Debian 17.6-1)", True),
        ("postgresql", "18.1", True),
        ("postgresql", "", False),
        ("valkey", "8.1", False),
    ],
)
def test_which_versions_have_increments(name, version, chained):
    assert registry.get(name).chains(version) is chained


@pytest.mark.parametrize(
    ("text", "found"),
    [("10.11.6-MariaDB", (10, 11, 6)), ("17", (17,)), ("17.", (17,)), ("x", ())],
)
def test_the_numbers_of_a_version(text, found):
    assert numbers(text) == found
