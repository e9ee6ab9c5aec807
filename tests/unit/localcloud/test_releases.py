# SPDX-License-Identifier: Apache-2.0
import dataclasses

import pytest

from trove import errors
from trove.datastores import registry
from trove.datastores.spec import Build
from trove.localcloud import releases

TOY = dataclasses.replace(
    registry.get("mariadb"),
    name="toydb",
    builds=(Build("1", "trixie", ("toydb-server",)),),
    units=("toydb.service",),
    emptied=("var/lib/toydb",),
    requires=("toydb-client==1.0",),
)


def test_each_debian_has_what_the_folders_say_of_it():
    first, second, *_ = releases.releases()
    assert (first.name, first.python) == ("bookworm", "3.11")
    assert (second.name, second.python) == ("trixie", "3.13")
    assert [tags for _, tags in first.names] == [
        ("trove", "mariadb", "10.11"),
        ("trove", "postgresql", "15"),
    ]
    assert first.has("postgresql", "15") and not first.has("postgresql", "17")
    assert {"mariadb-server", "postgresql", "systemd-sysv"} <= set(first.packages)
    assert first.units == ("mariadb.service", "postgresql.service")


def test_a_datastore_more_needs_no_edit():
    (made,) = releases.releases([TOY])
    assert made.names == (("trove-toydb-1", ("trove", "toydb", "1")),)
    assert "toydb-server" in made.packages
    assert (made.units, made.emptied) == (TOY.units, TOY.emptied)
    assert made.requires == TOY.requires


def test_what_bears_no_other_has_an_image_of_its_own():
    build = Build("1", "trixie", ("toydb-server",), apart=True)
    alone = dataclasses.replace(TOY, builds=(build,))
    shared, apart = releases.releases([alone, registry.get("mariadb")])[1:]
    assert (shared.name, apart.name) == ("trixie", "trixie-toydb")
    assert apart.suite == "trixie" and "mariadb-server" not in apart.packages
    assert "toydb-server" in apart.packages


def test_what_no_release_has_yet_comes_over_one_in_an_image_of_its_own():
    build = Build("2", "trixie", ("adduser",), later=("toydb-server",))
    newer = dataclasses.replace(TOY, builds=(build,))
    made = releases.releases([newer, registry.get("mariadb")])[-1]
    assert (made.name, made.suite) == ("trixie-toydb", "trixie")
    assert made.later == ("toydb-server",)
    assert "toydb-server" not in made.packages


def test_whoever_begins_says_which_datastores():
    def named(text):
        return [(one.name, build.version) for one, build in releases.chosen(text)]

    both = [("mariadb", "10.11"), ("postgresql", "15")]
    assert named("mariadb, postgresql") == both
    assert named("postgresql:17") == [("postgresql", "17")]
    assert named("mariadb,mariadb") == both[:1]
    assert set(named("all")) >= set(both)
    for wrong in ("potato", "mariadb,", "", "ALL", ":10.11"):
        with pytest.raises(errors.Invalid, match="there are: mariadb, .*, all"):
            releases.chosen(wrong)
    with pytest.raises(errors.Invalid, match=r"no mariadb 5; there are: 10\.11, 11\.8"):
        releases.chosen("mariadb:5")


def test_one_that_is_none_is_refused_by_name():
    with pytest.raises(errors.Invalid, match="no release potato; there are: bookworm"):
        releases.release("potato")
