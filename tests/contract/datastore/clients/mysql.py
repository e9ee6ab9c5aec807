# SPDX-License-Identifier: Apache-2.0
"""A tenant's and an administrator's view of MySQL."""

import contextlib
import json
import pathlib
import typing

from tests.contract.datastore.clients import Refused, mariadb


class Client(mariadb.Client):
    """They speak one protocol: what differs is here."""

    unit = "mysql.service"
    timeouts: typing.ClassVar = {
        "max_execution_time": 1,
        "wait_timeout": 1,
        "lock_wait_timeout": 1,
        "innodb_lock_wait_timeout": 1,
        "max_join_size": 1,
    }
    words: typing.ClassVar = {
        "character_set_server": "latin1",
        "collation_server": "latin1_bin",
        "default_storage_engine": "MyISAM",
        "default_time_zone": "+02:00",
        "lc_time_names": "de_DE",
        "optimizer_switch": "index_merge=off,mrr=on",
    }
    noisy: typing.ClassVar = {
        "slow_query_log": True,
        "long_query_time": 0,
        "log_queries_not_using_indexes": True,
        "log_slow_admin_statements": True,
        "log_error_verbosity": 3,
    }
    rounded = "join_buffer_size"
    harmless = "optimizer_search_depth"
    beyond_root = (
        "SELECT LOAD_FILE('/etc/passwd')",
        "SHUTDOWN",
        "SET GLOBAL general_log_file = '/tmp/x'",
        "SET PERSIST max_connections = 99",
        "UPDATE mysql.user SET Super_priv = 'Y'",
        "INSERT INTO mysql.global_grants VALUES ('root', '%', 'SYSTEM_USER', 'Y')",
        "INSTALL PLUGIN clone SONAME 'mysql_clone.so'",
        "INSTALL COMPONENT 'file://component_validate_password'",
        "CREATE FUNCTION f RETURNS STRING SONAME 'keyring_udf.so'",
        "CREATE TRIGGER mysql.t BEFORE INSERT ON mysql.user FOR EACH ROW SET @x = 1",
        "ALTER USER 'root'@'localhost' IDENTIFIED BY 'mine'",
        "RENAME USER 'root'@'localhost' TO 'boss'@'%'",
        "DROP USER 'root'@'localhost'",
        "GRANT 'root'@'localhost' TO 'root'@'%'",
        "GRANT SUPER ON *.* TO 'root'@'%'",
        "GRANT FILE ON *.* TO 'root'@'%'",
        "GRANT ALL PRIVILEGES ON mysql.* TO 'root'@'%'",
        "GRANT UPDATE ON mysql.user TO 'root'@'%'",
        "GRANT SELECT ON trove_internal.* TO 'root'@'%'",
        "GRANT SYSTEM_USER ON *.* TO 'root'@'%'",
        "CREATE DEFINER = 'root'@'localhost' PROCEDURE shop.p() SELECT 1",
        "SELECT * FROM trove_internal.beat",
        "SET GLOBAL read_only = OFF",
        "SET GLOBAL partial_revokes = OFF",
        "RESET BINARY LOGS AND GTIDS",
        "SET SESSION sql_log_bin = 0",
    )

    def users(self) -> dict[str, str]:
        rows = self.admin(
            "SELECT User, Host, CONCAT_WS(' ', plugin, HEX(authentication_string), "
            "ssl_type, account_locked, Create_user_priv, User_attributes) "
            "FROM mysql.user"
        )
        grants = self.admin("SELECT User, Host, Db, Select_priv FROM mysql.db")
        return {
            user: f"{host} {about} {sorted(g for g in grants if g[0] == user)}"
            for user, host, about in rows
        }

    def made_by_an_older_one(self) -> None:
        history = json.loads(self._info().read_text())
        history["upgrade_history"][-1]["version"] = "8.4.0"
        self._info().write_text(json.dumps(history))

    def is_older(self) -> bool:
        ((version,),) = self.admin("SELECT VERSION()")
        history = json.loads(self._info().read_text())
        return bool(history["upgrade_history"][-1]["version"] != version)

    def _info(self) -> pathlib.Path:
        """Where the server notes which versions its data had."""
        ((data,),) = self.admin("SELECT @@datadir")
        return pathlib.Path(data) / "mysql_upgrade_history"

    def takes(self, name: str, value: object, live: bool) -> bool:
        """Whether the engine takes a value as it is, set live or as an option."""
        if not live:
            words = ["/usr/sbin/mysqld", "--no-defaults", f"--{name}={value}"]
            more = ["--validate-config", "--log-error-verbosity=2"]
            done = self._machine.run([*words, *more], user="mysql", check=False)
            told = "adjusted" in done.stderr or "[ERROR]" in done.stderr
            return not (done.returncode or told)
        with contextlib.contextmanager(self._talk)(
            unix_socket=self._socket, user="root"
        ) as run:
            run("SET SESSION sql_mode = 'STRICT_ALL_TABLES'")
            with contextlib.suppress(Refused):
                run(f"SET GLOBAL {name} = {value!r}")
                return True
        return False
