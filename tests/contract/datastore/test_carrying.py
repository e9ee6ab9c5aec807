# SPDX-License-Identifier: Apache-2.0
"""Data out of one version and into another, which does not take them as they are."""

import json
import pathlib
import shutil

import pytest

from tests.contract.datastore.conftest import Lab, laboratory
from trove import errors
from trove.model.states import Service

pytestmark = [pytest.mark.postgresql, pytest.mark.root]

OLD, NEW = "15", "17"

SCHEMA = """
CREATE TABLE goods (id serial PRIMARY KEY, name text COLLATE "und-x-icu", price money,
    made timestamptz DEFAULT now(), x double precision, raw bytea, tags text[]);
INSERT INTO goods (name, price, x, raw, tags)
    SELECT 'thing ' || n, n, n / 3.0, decode(md5(n::text), 'hex'), ARRAY[n::text, NULL]
    FROM generate_series(1, 5000) n;
CREATE INDEX by_name ON goods (lower(name));
CREATE TABLE "odd ""name; --" ("a b" int, "é" text);
INSERT INTO "odd ""name; --" VALUES (1, E'tab\\tnew\\nline \\\\ ''');
CREATE TABLE nothing ();
CREATE TABLE parts (id int, at date) PARTITION BY RANGE (at);
CREATE TABLE parts_1 PARTITION OF parts
    FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
INSERT INTO parts VALUES (1, '2026-11-29');
CREATE SEQUENCE counter START 7;
SELECT nextval('counter');
CREATE TYPE mood AS ENUM ('sad', 'glad');
CREATE DOMAIN few AS int CHECK (VALUE < 10);
CREATE FUNCTION fine(row_ goods) RETURNS bool LANGUAGE plpgsql AS
    $$ BEGIN RETURN row_.id > 0; END $$;
ALTER TABLE goods ADD CONSTRAINT fine CHECK (fine(goods));
CREATE FUNCTION noted() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$;
CREATE TRIGGER noted BEFORE INSERT ON goods FOR EACH ROW EXECUTE FUNCTION noted();
CREATE VIEW cheap AS SELECT * FROM goods WHERE id < 10;
CREATE MATERIALIZED VIEW counted AS SELECT count(*) FROM goods;
CREATE TABLE reviews (id int REFERENCES goods, mood mood, n few);
INSERT INTO reviews VALUES (1, 'glad', 3);
ALTER TABLE reviews ENABLE ROW LEVEL SECURITY;
ALTER TABLE reviews FORCE ROW LEVEL SECURITY;
CREATE POLICY mine ON reviews USING (n < 5);
REVOKE ALL ON reviews FROM bob;
GRANT SELECT (id, mood) ON reviews TO bob;
CREATE EXTENSION hstore;
CREATE TABLE bags (bag hstore);
INSERT INTO bags VALUES ('a=>1');
SELECT lo_from_bytea(4242, 'large');
CREATE SCHEMA own;
CREATE TABLE own.secret AS SELECT 42 AS answer;
REVOKE ALL ON own.secret FROM bob;
"""

ESCAPE = """
CREATE FUNCTION climb(n int) RETURNS bool LANGUAGE plpgsql AS $$ BEGIN
    BEGIN EXECUTE 'ALTER ROLE eve SUPERUSER'; EXCEPTION WHEN OTHERS THEN NULL; END;
    BEGIN EXECUTE 'RESET SESSION AUTHORIZATION'; EXECUTE 'RESET ROLE';
        EXECUTE 'ALTER ROLE eve SUPERUSER'; EXCEPTION WHEN OTHERS THEN NULL; END;
    RETURN true; END $$;
CREATE DOMAIN trap AS int CHECK (climb(VALUE));
CREATE TABLE traps (n trap, m int CHECK (climb(m)));
INSERT INTO traps VALUES (1, 1);
CREATE FUNCTION immutably(n int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS
    $$ BEGIN PERFORM public.climb(n); RETURN n; END $$;
CREATE INDEX trapped ON traps (immutably(m));
CREATE MATERIALIZED VIEW looked AS SELECT climb(m) FROM traps;
CREATE FUNCTION texted(t traps) RETURNS text LANGUAGE plpgsql AS
    $$ BEGIN PERFORM public.climb(1); RETURN ''; END $$;
CREATE CAST (traps AS text) WITH FUNCTION texted(traps) AS IMPLICIT;
ALTER TABLE traps ADD CONSTRAINT later CHECK (climb(n)) NOT VALID;
"""

AGGREGATE = """
CREATE FUNCTION added(trap, int) RETURNS trap LANGUAGE sql AS 'SELECT $1';
CREATE AGGREGATE total (int) (SFUNC = added, STYPE = trap, INITCOND = '0');
"""
PARTED = "CREATE TABLE halves (n trap) PARTITION BY LIST (n)"


@pytest.fixture(scope="module")
def old():
    with laboratory("postgresql", OLD) as lab:
        yield lab


@pytest.fixture
def new():
    with laboratory("postgresql", NEW) as lab:
        yield lab


def people(lab: Lab) -> None:
    """Two who share a database, one of whom has another, and a root."""
    for name, *databases in (("ada", "shop", "a b='c'"), ("bob", "shop")):
        lab.account(name, f"{name}'s word", *databases)
    lab.engine.accounts.enable_root("the root's")


def connected(lab: Lab, user: str, password: str, database: str = "shop"):
    """What a tenant says, by the network."""
    return lab.client.login(user, password, database)


def carried(old: Lab, new: Lab) -> str:
    """Out of the one, and into a machine that has nothing yet."""
    there = f"{old.machine.root}/carried"
    old.engine.unload(there)
    brought = f"{new.machine.root}/carried"
    shutil.copytree(there, brought)
    owner = new.machine.ids("postgres")
    if isinstance(owner, str):
        owner = (owner, owner)
    for path in (pathlib.Path(brought), *pathlib.Path(brought).rglob("*")):
        shutil.chown(path, *owner)
    return brought


def test_everything_is_there_under_the_new_version(old, new) -> None:
    people(old)
    with connected(old, "ada", "ada's word") as line:
        for statement in (SCHEMA, "DROP TABLE IF EXISTS gone"):
            line(statement)
    with connected(old, "ada", "ada's word", "a b='c'") as line:
        line("CREATE TABLE alone AS SELECT 1 AS one")
    old.engine.accounts.create_accounts([])
    old.engine.accounts.revoke("ada", "%", "a b='c'")

    new.engine.load(carried(old, new))
    new.engine.start()
    new.engine.upgrade()
    assert new.engine.health().state == Service.HEALTHY
    assert (new.engine.health().version or "").startswith(f"{NEW}.")
    for name, value in {"allow_alter_system": "off", "summarize_wal": "on"}.items():
        assert new.client.admin(f"SHOW {name}") == [(value,)]
    with connected(new, "bob", "bob's word") as line:
        ((count, total),) = line("SELECT count(*), sum(x) FROM goods")
        assert (count, round(total)) == (5000, 4167500)
        ((name,),) = line('SELECT "é" FROM "odd ""name; --"')
        assert name == "tab\tnew\nline \\ '"
        assert line("SELECT nextval('counter')") == [(8,)]
        with pytest.raises(Lab.refused, match="permission denied"):
            line("SELECT answer FROM own.secret")
        with pytest.raises(Lab.refused, match="permission denied"):
            line("SELECT n FROM reviews")
        line("INSERT INTO goods (name) VALUES ('fresh')")
        ((id,),) = line("SELECT max(id) FROM goods")
        assert id == 5001
    with connected(new, "root", "the root's", "a b='c'") as line:
        assert line("SELECT one FROM alone") == [(1,)]
    users = new.engine.accounts.users(10)
    assert [(user.name, user.databases) for user in users] == [
        ("ada", ("shop",)),
        ("bob", ("shop",)),
    ]
    with pytest.raises(Lab.refused):
        with connected(new, "ada", "ada's word", "a b='c'"):
            pass
    new.engine.stop()
    old.engine.start()
    with connected(old, "ada", "ada's word") as line:
        ((count,),) = line("SELECT count(*) FROM goods")
    assert count == 5000, "the old version serves as it did"


def test_a_copy_that_is_not_the_same_is_refused(old, new) -> None:
    there = carried(old, new)
    path = pathlib.Path(there) / "manifest.json"
    manifest = json.loads(path.read_text())
    contents = dict(manifest["contents"])["shop"]
    contents["rows of public.goods"][0] += 1
    path.write_text(json.dumps(manifest))
    with pytest.raises(
        errors.EngineFailed, match="rows of public.goods in database shop"
    ):
        new.engine.load(there)
    assert new.engine.health().state == Service.STOPPED
    old.engine.start()


def test_a_dump_that_was_damaged_is_refused(old, new) -> None:
    there = pathlib.Path(carried(old, new))
    largest = max(there.rglob("*.dat.gz"), key=lambda path: path.stat().st_size)
    content = bytearray(largest.read_bytes())
    content[len(content) // 2] ^= 1
    largest.write_bytes(content)
    with pytest.raises(errors.EngineFailed):
        new.engine.load(str(there))
    old.engine.start()


def test_nothing_of_a_tenant_is_run_as_the_superuser(old, new) -> None:
    """S5: not when rows are measured and dumped, and not when they are loaded."""
    old.account("eve", "eve's word", "trap")
    with connected(old, "eve", "eve's word", "trap") as line:
        line(ESCAPE)
    new.engine.load(carried(old, new))
    for lab in (old, new):
        lab.engine.start()
        with connected(lab, "eve", "eve's word", "trap") as line:
            asked = "SELECT rolsuper FROM pg_roles WHERE rolname = 'eve'"
            assert line(asked) == [(False,)]
            assert line("SELECT count(*) FROM traps") == [(1,)]
            asked = "SELECT 1 FROM pg_roles WHERE rolname = 'trove_loader'"
            assert line(asked) == []
    new.engine.stop()


@pytest.mark.parametrize(
    ("statement", "what"),
    [(AGGREGATE, "aggregate public.total"), (PARTED, "table public.halves")],
)
def test_what_cannot_be_loaded_safely_is_refused(old, statement, what) -> None:
    with connected(old, "eve", "eve's word", "trap") as line:
        line(statement)
    with pytest.raises(errors.Invalid, match=what):
        old.engine.unload(f"{old.machine.root}/carried")
    old.engine.start()
    with connected(old, "eve", "eve's word", "trap") as line:
        line("DROP TABLE IF EXISTS halves")
        line("DROP AGGREGATE IF EXISTS total (int)")


def test_nobody_comes_in_by_the_network_meanwhile(old) -> None:
    """What would be written then would be in neither."""
    from trove.datastores.postgresql.agent.alone import alone
    from trove.datastores.postgresql.agent.places import places

    old.engine.stop()
    with alone(old.machine, places(old.machine), old.engine._port):
        with pytest.raises(Lab.refused, match="refused"):
            with connected(old, "bob", "bob's word"):
                pass
    old.engine.start()
