# SPDX-License-Identifier: Apache-2.0
"""Exports and imports through the API, with a container of a real store."""

import contextlib

import pytest
import sqlalchemy as sa

from tests.api.world import DEMO, OTHER
from tests.objectstore import serving
from trove.datastores import protocol as engines
from trove.db.queries import instances
from trove.db.tables import Operation
from trove.model import operations
from trove.model.dumps import Export, Import
from trove.model.states import OperationState, Task
from trove.storage import dumps
from trove.storage.lent import Lent, Place
from trove.storage.swift import Swift
from trove.storage.vault import carry

KIND = operations.EXPORT
ACCOUNT = f"AUTH_{DEMO}"


class Exports:
    """One instance with some databases, and its project's store."""

    def __init__(self, world, store, *databases, **about):
        self.world, self.store = world, store
        self.id = world.active(**about)
        self.make(*databases)

    def make(self, *databases):
        accounts = self.world.desks.accounts[self.id]
        accounts.create_databases([engines.Database(name) for name in databases])

    def load(self, caller="member", **said):
        """An import of the database ``new``."""
        said = {"name": "friday/shop.sql.zst", "database": "new", **said}
        return self.ask(caller, act="import", **said)

    def ask(self, caller="member", key=None, xml=False, query="", act="export", **said):
        project = {"member": DEMO, "stranger": OTHER}.get(caller, "admins00")
        headers = {
            "X-Auth-Token": f"{project}/member",
            "X-Service-Catalog": self.store.catalogue(project),
        }
        if key:
            headers["Idempotency-Key"] = key
        body = {act: {"container": "mine", "name": "nightly", **said}}
        path = f"instances/{self.id}/action{query}"
        return self.world.ask(
            "POST", path, body, caller=caller, headers=headers, xml=xml
        )

    def finish(self):
        """It is over; the guest of the world is born again with nothing in it."""
        self.world.finish(self.id)
        self.make("shop")

    def asked(self):
        """The input of the one export that goes on."""
        with self.world.database.reading() as tx:
            live = Operation.state == OperationState.PENDING
            (row,) = tx.scalars(
                sa.select(Operation).where(Operation.kind == KIND, live)
            )
            assert instances.load(tx, self.id).task == Task.BACKING_UP
            return Export.from_dict(row.input)

    def loading(self):
        """The input of the one import that goes on."""
        with self.world.database.reading() as tx:
            kind = Operation.kind == operations.IMPORT
            (row,) = tx.scalars(sa.select(Operation).where(kind))
            assert instances.load(tx, self.id).task == Task.UPDATING
            return Import.from_dict(row.input)

    def nothing_begun(self):
        with self.world.database.reading() as tx:
            kinds = Operation.kind.in_([KIND, operations.IMPORT])
            found = tx.scalars(sa.select(Operation).where(kinds))
            return not list(found) and instances.load(tx, self.id).task == Task.NONE


@pytest.fixture
def store(tmp_path):
    with serving(tmp_path / "store") as served:
        yield served


@pytest.fixture
def exports(world, store):
    return Exports(world, store, "shop", "a/b")


@pytest.mark.parametrize("xml", [False, True], ids=["json", "xml"])
def test_an_export_is_an_operation_with_a_container_that_is_lent(exports, xml):
    answer = exports.ask(xml=xml, databases=[{"name": "shop"}])
    assert answer.status_int == 202 and not answer.body, answer.text
    asked = exports.asked()
    assert (asked.name, asked.databases) == ("nightly", ("shop",))
    assert exports.store.names(DEMO, "mine") == ["nightly/shop.sql.zst"]
    there = Lent(Place(**asked.place))
    names = dumps.Names("nightly", ("shop",), ".sql.zst")
    for number, data in enumerate((b"one ", b"two")):
        carry.put(there.writes(names.part(0, number), 60), data, 9)
    # what a user downloads
    assert there.get("nightly/shop.sql.zst", 99) == b"one two"


def test_without_a_word_all_databases_are_exported(exports):
    assert exports.ask().status_int == 202
    assert exports.asked().databases == ("a/b", "shop")
    assert exports.store.names(DEMO, "mine") == [
        "nightly/a%2Fb.sql.zst",
        "nightly/shop.sql.zst",
    ]


def test_postgresql_has_its_own_ending(world, store):
    made = Exports(world, store, "shop", datastore={"type": "postgresql"})
    assert made.ask().status_int == 202
    assert store.names(DEMO, "mine") == ["nightly/shop.dump"]


def test_it_is_watched_as_every_operation(exports):
    exports.ask()
    found = exports.world.ask("GET", f"operations?instance_id={exports.id}").json
    (export,) = (one for one in found["operations"] if one["type"] == KIND)
    assert export["state"] == "pending" and "mine" not in str(found)
    shown = exports.world.ask("GET", f"instances/{exports.id}").json["instance"]
    assert shown["status"] == "BACKUP"


def test_the_key_is_in_no_answer_and_sealed_in_the_database(exports):
    exports.ask()
    key = exports.asked().place["key"]
    with exports.world.database.engine.connect() as raw:
        for (input,) in raw.exec_driver_sql("SELECT input FROM operations"):
            assert key not in str(input)
    for path in ("operations", f"instances/{exports.id}/events"):
        assert key not in exports.world.ask("GET", path).text


def test_one_at_a_time(exports):
    assert exports.ask().status_int == 202
    answer = exports.ask(name="another")
    assert answer.status_int == 422 and "BACKUP" in answer.text
    assert exports.store.names(DEMO, "mine")[0].startswith("nightly/")
    assert not [n for n in exports.store.names(DEMO, "mine") if "another" in n]


def test_a_repeated_request_with_a_key_is_one_export(exports):
    for _ in range(2):
        assert exports.ask(key="k").status_int == 202
    exports.asked()
    assert exports.ask(key="k", name="other").status_int == 409


def test_nothing_of_a_users_is_written_over(exports):
    assert exports.ask().status_int == 202
    there = Lent(Place(**exports.asked().place))
    carry.put(there.writes("nightly/parts/0/0000000", 60), b"x", 9)
    exports.finish()
    answer = exports.ask()
    assert answer.status_int == 409 and "nightly/" in answer.text
    assert exports.ask(name="another").status_int == 202


def test_what_an_export_left_that_was_refused_is_taken_over(exports):
    exports.ask()
    exports.finish()
    assert exports.ask().status_int == 202


@pytest.fixture
def second(exports):
    """Another instance of the same project, with another database."""
    return Exports(exports.world, exports.store, "books", "shop")


@pytest.mark.parametrize("name", ["nightly", "nightly/parts/0", "nightly/x"])
def test_a_name_is_of_one_export_at_a_time(exports, second, name):
    """Of any instance: the objects of both would be the same, or one's of the other."""
    assert exports.ask().status_int == 202
    before = exports.store.names(DEMO, "mine")
    for query in ("", "?dry_run=1"):
        answer = second.ask(name=name, query=query)
        assert answer.status_int == 409 and "under way" in answer.text, answer.text
    assert exports.store.names(DEMO, "mine") == before
    assert second.ask(name="nightly2").status_int == 202


def test_a_name_goes_by_its_container_and_its_project(exports, second):
    assert exports.ask().status_int == 202
    assert second.ask(container="yours").status_int == 202
    other = Exports(exports.world, exports.store, "shop", caller="stranger")
    assert other.ask("stranger").status_int == 202


def test_a_name_is_free_when_its_export_is_over_or_was_refused(exports, second):
    exports.store.refusing = True
    assert exports.ask().status_int == 503
    exports.store.refusing = False
    assert second.ask().status_int == 202
    assert exports.ask().status_int == 409
    second.world.finish(second.id)
    assert exports.ask().status_int == 202


@pytest.mark.parametrize(
    "said",
    [
        {"container": "a/b"},
        {"container": ".hidden"},
        {"container": ""},
        {"container": "größe"},
        {"name": ""},
        {"name": "../other"},
        {"name": "a//b"},
        {"name": "/a"},
        {"name": "a/"},
        {"name": "a\nb"},
        {"name": "n" * 129},
        {"databases": []},
        {"databases": [{"name": "mysql"}]},
        {"databases": [{"name": "shop"}, {"name": "shop"}]},
        {"databases": ["shop"]},
        {"databases": [{"name": ""}]},
        {"endpoint": "http://169.254.169.254/"},
    ],
    ids=str,
)
def test_hostile_words_are_refused_before_anybody_is_asked(exports, said):
    answer = exports.ask(**said)
    assert answer.status_int == 400, answer.text
    assert exports.nothing_begun() and exports.store.asked == []


def test_a_database_that_is_not_there_is_not_exported(exports):
    answer = exports.ask(databases=[{"name": "shop"}, {"name": "none"}])
    assert answer.status_int == 404 and "none" in answer.text
    assert exports.nothing_begun() and exports.store.asked == []


def test_a_dump_has_so_many_databases(exports):
    exports.make(*(f"d{n}" for n in range(dumps.MOST - 1)))
    answer = exports.ask()
    assert answer.status_int == 400 and str(dumps.MOST) in answer.text
    named = [{"name": f"d{n}"} for n in range(dumps.MOST - 1)]
    assert exports.ask(databases=named).status_int == 202


def test_without_databases_there_is_nothing_to_export(world, store):
    answer = Exports(world, store).ask()
    assert answer.status_int == 400 and "no database" in answer.text


def test_another_projects_goes_nowhere(exports):
    """Not to its owner's container, which is not the caller's; not to the caller's."""
    assert exports.ask("stranger").status_int == 404
    assert exports.ask("admin").status_int == 403
    assert exports.nothing_begun() and exports.store.asked == []


def test_a_store_that_is_away_is_said(exports):
    exports.store.refusing = True
    assert exports.ask().status_int == 503
    assert exports.nothing_begun()


def test_without_an_object_store_it_is_501(exports):
    exports.store.catalogue = lambda project: "[]"
    assert exports.ask().status_int == 501
    assert exports.nothing_begun()


def test_a_rehearsal_makes_nothing(exports):
    answer = exports.ask(query="?dry_run=1")
    assert answer.status_int == 200, answer.text
    (operation,) = answer.json["dry_run"]["operations"]
    assert (operation["type"], operation["outage"]) == (KIND, "none")
    assert exports.nothing_begun() and exports.store.asked == []


# -- imports


@pytest.fixture
def brought(exports):
    """The same, with a dump of its project's own in the container."""
    mine = Swift(exports.store.endpoint(DEMO), f"{DEMO}/member")
    with contextlib.closing(Lent(mine.lend("mine"))) as there:
        carry.put(there.writes("friday/shop.sql.zst", 60), b"a dump", 9)
        carry.put(there.writes("friday/nothing", 60), b"", 9)
    mine.close()
    exports.store.asked.clear()
    return exports


@pytest.mark.parametrize("xml", [False, True], ids=["json", "xml"])
def test_an_import_is_an_operation_with_a_container_that_is_lent(brought, xml):
    answer = brought.load(xml=xml)
    assert answer.status_int == 202 and not answer.body, answer.text
    asked = brought.loading()
    assert (asked.name, asked.size) == ("friday/shop.sql.zst", len(b"a dump"))
    assert asked.database == "new"
    there = Lent(Place(**asked.place))
    assert carry.get(there.reads(asked.name, 60, 2, 4), 4, 9) == b"dump"


def test_an_import_makes_its_database(brought):
    answer = brought.load(database="shop")
    assert answer.status_int == 409 and "shop" in answer.text
    assert brought.nothing_begun() and brought.store.asked == []


def test_a_dump_that_is_not_there_is_not_found(brought):
    for said in ({"name": "thursday"}, {"container": "yours"}):
        answer = brought.load(**said)
        assert answer.status_int == 404, answer.text
    assert brought.load(name="friday/nothing").status_int == 400
    assert brought.nothing_begun()
    assert "PUT /v1" not in str(brought.store.asked)


@pytest.mark.parametrize(
    "said",
    [
        {"container": "a/b"},
        {"name": "../other"},
        {"name": "a//b"},
        {"name": "friday/"},
        {"name": "n" * 1025},
        {"database": "mysql"},
        {"database": "#mysql50#x"},
        {"database": "a\nb"},
        {"database": ""},
        {"endpoint": "http://169.254.169.254/"},
    ],
    ids=str,
)
def test_hostile_words_of_an_import_are_refused(brought, said):
    answer = brought.load(**said)
    assert answer.status_int == 400, answer.text
    assert brought.nothing_begun() and brought.store.asked == []


def test_nobody_else_imports(brought):
    assert brought.load("stranger").status_int == 404
    assert brought.load("admin").status_int == 403
    assert brought.nothing_begun() and brought.store.asked == []


def test_an_import_and_an_export_exclude_each_other(brought):
    assert brought.load().status_int == 202
    assert brought.ask().status_int == 422
    assert brought.load(database="other").status_int == 422


def test_a_rehearsal_of_an_import_asks_nobody(brought):
    answer = brought.load(query="?dry_run=1")
    assert answer.status_int == 200, answer.text
    (operation,) = answer.json["dry_run"]["operations"]
    assert operation["type"] == operations.IMPORT
    assert brought.nothing_begun() and brought.store.asked == []
