# SPDX-License-Identifier: Apache-2.0
"""The control plane is upgraded and taken back while it works (T26).

The next release is a copy of this one with a migration more, whose columns it writes.
The schema is migrated under the old daemons, which are then replaced one after the
other; with --long the old ones then come back, on the new schema.
"""

import shutil
import subprocess
import sys
import threading

import pytest
import sqlalchemy as sa

from tests.system.faults.conftest import LONG
from tests.system.faults.hosted import ROOT
from tests.system.faults.lab import TASKMANAGERS
from tests.system.faults.test_api_and_conductor import stubborn
from tests.system.faults.test_crowd import LIFE
from trove.db import migrate

pytestmark = [pytest.mark.root, pytest.mark.mariadb, pytest.mark.rabbitmq]

MIGRATION = '''
"""One more."""

import sqlalchemy as sa
from alembic import op

revision = "9999"
down_revision = {head!r}


def upgrade() -> None:
    """Adds."""
    op.add_column("operations", sa.Column("release", sa.String(16), nullable=True))
    op.create_index("ix_operations_release", "operations", ["release"])
    op.create_table("novelties", sa.Column("id", sa.String(36), primary_key=True))


def downgrade() -> None:
    """Takes it away."""
    op.drop_table("novelties")
    op.drop_index("ix_operations_release", "operations")
    op.drop_column("operations", "release")
'''
COLUMN = """\
    release: orm.Mapped[str | None] = orm.mapped_column(sa.String(16), default="next")
"""
BESIDE = "    attempts: orm.Mapped[int]"
DAEMONS = ("conductor", TASKMANAGERS[0], "api", TASKMANAGERS[1])


@pytest.fixture
def following(lab):
    """The environment in which a process is of the next release."""
    home = lab.home / "next"
    for name in ("trove", "alembic"):
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / name, home / name, ignore=ignored)
    text = MIGRATION.format(head=migrate.head()).lstrip()
    (home / "alembic" / "versions" / "9999_more.py").write_text(text)
    tables = home / "trove" / "db" / "tables" / "operations.py"
    before = tables.read_text()
    assert before.count(BESIDE) == 1
    tables.write_text(before.replace(BESIDE, COLUMN + BESIDE))
    paths = lab.environment["PYTHONPATH"]
    environment = lab.environment | {"PYTHONPATH": f"{home}:{paths}"}

    def manage(*words):
        config = f"--config-file={lab.home / 'trove.conf'}"
        argv = [sys.executable, "-m", "trove.cmd.manage", config, "db", *words]
        done = subprocess.run(
            argv, env=environment, cwd="/", capture_output=True, text=True, timeout=120
        )
        assert done.returncode == 0, done.stdout + done.stderr

    yield environment, manage
    for name in DAEMONS:
        lab.daemons[name].how["env"] = lab.environment
        lab.daemons[name].kill()  # the next test has this release's
    manage("downgrade", migrate.head(), "--yes")


class Users:
    """Creates, restarts and deletes, one after the other; each is answered."""

    def __init__(self, user):
        self._user, self._over = user, threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.kept, self.gone, self.faults = [], [], []

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *about):
        self._over.set()
        self._thread.join()

    def _run(self):
        number = 0
        while not self._over.is_set():
            number += 1
            try:
                id, _tries = stubborn(self._user, f"db{number}", f"upgrade {number}")
                if number % 2:
                    self.kept.append(id)
                else:
                    self.gone.append(id)
                    self._delete(id)
            except (AssertionError, OSError) as fault:
                self.faults.append(fault)
            self._over.wait(0.7)

    def _delete(self, id):
        while not self._over.is_set():
            try:
                answer = self._user.ask("DELETE", f"instances/{id}")
            except OSError:
                self._over.wait(0.1)
                continue
            assert answer.status in (202, 404), answer.body
            return


def roll(lab, environment):
    """One daemon after the other ends in good order and comes as another release."""
    for name in DAEMONS:
        daemon = lab.daemons[name]
        daemon.stop(within=60)
        daemon.how["env"] = environment
        lab.restart(name)


def test_no_operation_is_lost_by_an_upgrade_or_by_going_back(lab, user, following):
    """T26, INV-1 to 8: accepted work ends well, whoever of which release carries it."""
    environment, manage = following
    lab.hands.pace(boot=2.0, remove=0.5)
    try:
        with Users(user) as users:
            manage("sync")
            roll(lab, environment)
            if LONG:
                roll(lab, lab.environment)
    finally:
        lab.hands.pace(boot=0.1, remove=0.1)
    assert users.faults == []
    user.ready(*users.kept, within=90)
    user.delete(*users.gone)
    for id in users.kept:
        assert [kind for kind, _ in lab.hands.things(id)] == LIFE
        assert lab.hands.jobs(id) == ["prepare"], "INV-11"
    with lab.store.reading() as tx:
        said = "SELECT coalesce(`release`, 'old'), state, count(*) FROM operations"
        about = " WHERE project = :p GROUP BY 1, 2"
        ended = tx.execute(sa.text(said + about), {"p": user.project}).all()
    print(f"operations by release and end: {sorted(map(tuple, ended))}")
    assert {release for release, _, _ in ended} == {"old", "next"}
    assert {state for _, state, _ in ended} <= {"done", "failed"}
    user.delete(*users.kept)
    for id in (*users.kept, *users.gone):
        assert lab.hands.things(id) == []
    assert set(user.usage().values()) == {(0, 0)}
