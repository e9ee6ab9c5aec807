# SPDX-License-Identifier: Apache-2.0
"""A tenant's own programs in the database, where a binary log asks whom to trust."""

import pytest

from tests.contract.datastore.conftest import Lab


@pytest.mark.engines("mariadb", "mysql")
def test_a_tenant_has_triggers_and_functions(lab: Lab) -> None:
    """Also one of which the engine does not know whether it says the same each time."""
    lab.account("ada", "the word", "shop")
    with lab.client.login("ada", "the word", "shop") as run:
        run("CREATE TABLE goods (n INT)")
        run(
            "CREATE TRIGGER doubled BEFORE INSERT ON goods "
            "FOR EACH ROW SET NEW.n = 2 * NEW.n"
        )
        run("CREATE FUNCTION tripled(n INT) RETURNS INT RETURN 3 * n")
        run("INSERT INTO goods VALUES (1)")
        assert run("SELECT n, tripled(n) FROM goods") == [(2, 6)]
