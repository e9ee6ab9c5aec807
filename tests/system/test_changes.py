# SPDX-License-Identifier: Apache-2.0
"""A larger volume and other access rules, of a database that serves meanwhile."""

import psycopg
import pymysql
import pytest

from tests.system.deployment import VERSIONS, ask, until

pytestmark = [pytest.mark.root, pytest.mark.localcloud]

USER = {"name": "ada", "password": "correct horse", "databases": [{"name": "shop"}]}
ELSEWHERE = "192.0.2.0/24"
REFUSED = (pymysql.err.OperationalError, psycopg.OperationalError)


def enter(demo, shown):
    return demo.connect(shown, USER["name"], USER["password"], "shop")


@pytest.fixture(scope="module", params=VERSIONS)
def served(request, demo):
    """An instance that serves."""
    id = demo.create(request.param, f"changes-{request.param}", [USER])
    yield demo.wait(id)
    demo.delete(id)
    demo.gone(id)


def test_a_volume_grows_under_a_database_that_serves(deployment, demo, served):
    id = served["id"]
    with enter(demo, served) as line:
        ask(line, "CREATE TABLE t (n INT)")
        ask(line, "INSERT INTO t VALUES (42)")
        body = {"resize": {"volume": {"size": 2}}}
        answer = demo.ask("POST", f"/instances/{id}/action", body)
        assert answer.status_code == 202, answer.text
        until("it has grown", lambda: demo.show(id)["volume"]["size"] == 2)
        assert ask(line, "SELECT n FROM t")[0][0] == 42, "the session went on"
        ask(line, "INSERT INTO t VALUES (43)")
    demo.wait(id)
    total = "SELECT disk_total FROM guest_reports WHERE instance_id = ?"
    until(
        "the guest has seen it",
        lambda: deployment.rows(total, id)[0][0] > 1.8 * 1024**3,
    )
    answer = demo.ask("POST", f"/instances/{id}/action", body)
    assert answer.status_code == 400 and "larger" in answer.text


def test_who_may_reach_the_port_is_changed_and_changed_back(demo, served):
    id = served["id"]

    def allow(*cidrs):
        body = {"instance": {"access": {"allowed_cidrs": list(cidrs)}}}
        answer = demo.ask("PUT", f"/instances/{id}", body)
        assert answer.status_code == 202, answer.text
        return demo.wait(id)

    assert allow(ELSEWHERE)["access"]["allowed_cidrs"] == [ELSEWHERE]
    with pytest.raises(REFUSED):
        enter(demo, served).close()
    allow()
    with enter(demo, served) as line:
        assert ask(line, "SELECT 1")[0][0] == 1
