# SPDX-License-Identifier: Apache-2.0
"""What this very MySQL says of its variables: their types, ranges and words.

Asked of a server of its own that is gone a second later: on a directory that is thrown
away, and without a port. Its help knows which options there are, and of which form; it
lists its ranges; whether a variable can change, and the words that it may be, it only
says when one tries. What 9.x tells beside (``variables_metadata``) is the same, and is
not in 8.4.
"""

import json
import re
import typing

from trove.datastores.classic.sql import literal
from trove.datastores.mysql.agent.variables import ALIASES, FIXED
from trove.datastores.mysql.spec import DATASTORE
from trove.datastores.policy import Rule, Rules
from trove.datastores.protocol import Description, Host

SERVER = "/usr/sbin/mysqld"
WORK = "/var/lib/trove-rules"
"""Short: it has the socket, whose path has at most 107 characters."""
TIMEOUT = 240.0

SMALL = (
    "--mysqlx=OFF",
    "--innodb-buffer-pool-size=8M",
    "--innodb-redo-log-capacity=8M",
    "--innodb-doublewrite=OFF",  # nothing in it is kept
    "--innodb-flush-log-at-trx-commit=0",
    "--auto-generate-certs=OFF",
)

MOST = 20
"""Words of which a text is one are tried by number, up to this."""
BITS = 40
"""Words of which a text is a list have a bit each."""

QUESTION = """\
delimiter $$
SET sql_mode = ''$$
CREATE DATABASE asked$$
CREATE TABLE asked.variables (name VARCHAR(64) PRIMARY KEY, value TEXT, failed INT)$$
CREATE TABLE asked.answers (name VARCHAR(64), tried VARCHAR(32), value TEXT)$$
CREATE TABLE asked.tries (tried VARCHAR(32))$$
INSERT INTO asked.tries VALUES {tries}$$
CREATE PROCEDURE asked.say(IN words TEXT, OUT failed INT) BEGIN \
DECLARE EXIT HANDLER FOR SQLEXCEPTION \
GET DIAGNOSTICS CONDITION 1 failed = MYSQL_ERRNO; \
SET failed = 0; SET @words = words; \
PREPARE statement FROM @words; EXECUTE statement; DEALLOCATE PREPARE statement; \
END$$
CREATE PROCEDURE asked.one(IN n VARCHAR(64), IN t VARCHAR(32)) BEGIN \
DECLARE e INT; \
CALL asked.say(CONCAT('SET GLOBAL ', n, ' = ', t), e); \
IF e = 0 THEN INSERT INTO asked.answers SELECT n, t, variable_value \
FROM performance_schema.global_variables WHERE variable_name = n; END IF; \
END$$
CREATE PROCEDURE asked.each() BEGIN \
DECLARE done INT DEFAULT 0; DECLARE n, t VARCHAR(64); DECLARE e INT; \
DECLARE everything CURSOR FOR SELECT name FROM asked.variables; \
DECLARE texts CURSOR FOR SELECT name, tried FROM asked.variables JOIN asked.tries \
WHERE name IN ({texts}) ORDER BY name, tried + 0; \
DECLARE floats CURSOR FOR SELECT name, tried FROM asked.variables \
JOIN (SELECT '-1e300' AS tried UNION SELECT '1e300') AS ends \
WHERE value REGEXP '^[0-9]+[.][0-9]+$' AND name IN ({names}) \
ORDER BY name, tried + 0; \
DECLARE CONTINUE HANDLER FOR NOT FOUND SET done = 1; \
OPEN everything; r: LOOP FETCH everything INTO n; IF done THEN LEAVE r; END IF; \
CALL asked.say(CONCAT('SET GLOBAL ', n, ' = @@GLOBAL.', n), e); \
UPDATE asked.variables SET failed = e WHERE name = n; END LOOP; SET done = 0; \
OPEN texts; r: LOOP FETCH texts INTO n, t; IF done THEN LEAVE r; END IF; \
CALL asked.one(n, t); END LOOP; SET done = 0; \
OPEN floats; r: LOOP FETCH floats INTO n, t; IF done THEN LEAVE r; END IF; \
CALL asked.one(n, t); END LOOP; \
END$$
INSERT INTO asked.variables SELECT LOWER(variable_name), variable_value, 0 \
FROM performance_schema.global_variables$$
CALL asked.each()$$
SELECT JSON_OBJECT('name', name, 'value', value, 'failed', failed, \
'min', min_value, 'max', max_value, 'answers', \
(SELECT JSON_OBJECTAGG(tried, a.value) FROM asked.answers AS a WHERE a.name = v.name)) \
FROM asked.variables AS v \
JOIN performance_schema.variables_info ON variable_name = name \
INTO OUTFILE '{answer}' CHARACTER SET utf8mb4 FIELDS ESCAPED BY ''$$
SHUTDOWN$$
"""
"""A statement a line. ``SET GLOBAL`` a variable to what it is shows whether it can
change; only what a user may set is set to anything else."""

OPTION = re.compile(r"^  (?:-\w, )?--([a-z0-9-]+)(\[?=[^ \n]*)?", re.MULTILINE)
"""An option in the help, and the form of its value: none, ``=#``, ``=name``."""


def describe(host: Host) -> Description:
    """The rules of all options that are variables, and the engine's version."""
    work = host.path(WORK)
    host.remove(work)
    try:
        for path in (work, f"{work}/data", f"{work}/answer"):
            host.make_directory(path, mode=0o700, owner=DATASTORE.user)
        forms = _forms(_ask(host, work, "--help", "--verbose"))
        rows = _rows(host, work, forms)
        return Description(str(rows["version"]["value"]), _rules(rows, forms))
    finally:
        host.remove(work)


def _ask(host: Host, work: str, *words: str) -> str:
    where = (f"--datadir={work}/data", f"--tmpdir={work}")
    said = host.run(
        [SERVER, "--no-defaults", *where, *SMALL, *words],
        user=DATASTORE.user,
        timeout=TIMEOUT,
    )
    return said.stdout


def _forms(said: str) -> dict[str, str]:
    """What may stand in its files, and how: by the names of variables."""
    options, _, table = said.rpartition("\n-----")
    names = {line.split(maxsplit=1)[0] for line in table.splitlines()[1:] if line[:1]}
    return {
        name.replace("-", "_"): form
        for name, form in OPTION.findall(options)
        if name in names
    }


def _rows(
    host: Host, work: str, forms: typing.Mapping[str, str]
) -> dict[str, dict[str, typing.Any]]:
    _ask(host, work, "--initialize-insecure")
    answer = f"{work}/answer/variables"
    names = sorted(ALIASES.get(name, name) for name in DATASTORE.policy)
    texts = [name for name in names if "name" in forms.get(name, "")]
    tries = [*range(MOST + 1), *(1 << bit for bit in range(5, BITS + 1))]
    question = QUESTION.format(
        answer=answer,
        names=", ".join(map(literal, names)),
        texts=", ".join(map(literal, texts)),
        tries=", ".join(f"('{number}')" for number in tries),
    )
    host.write_file(f"{work}/question", question)
    _ask(
        host,
        work,
        "--skip-networking",
        "--skip-log-bin",
        f"--socket={work}/socket",
        f"--pid-file={work}/pid",
        f"--secure-file-priv={work}/answer",
        f"--init-file={work}/question",
    )
    said = host.read_file(answer) or ""
    return {row["name"]: row for row in map(json.loads, said.splitlines())}


def _rules(
    rows: dict[str, dict[str, typing.Any]], forms: typing.Mapping[str, str]
) -> Rules:
    found: Rules = {}
    for option in sorted(forms):
        row = rows.get(option) or rows.get(ALIASES.get(option, option))
        if row is not None:
            found[option] = _rule(row, forms[option])
    return found


def _rule(row: dict[str, typing.Any], form: str) -> Rule:
    rule: Rule = {"restart_required": row["failed"] == FIXED}
    answers = row["answers"] or {}
    if not form:
        return {"type": "boolean", **rule}
    if "#" not in form:
        return {"type": "string", **rule, **_words(answers)}
    if "." not in row["value"]:
        ends = {end: int(row[end]) for end in ("min", "max")}
        return {"type": "integer", **rule, **ends}
    if answers:
        # what it says of these is whole numbers, or bits
        low, high = sorted(float(value) for value in answers.values())
        rule |= {"min": low, "max": high}
    return {"type": "float", **rule}


def _words(answers: typing.Mapping[str, str]) -> dict[str, list[str]]:
    """Words of which a text is one, or a list; by what the engine made of numbers."""
    none = answers.get("0")
    if none is None or "=" in none:
        return {}
    said = [answers[number] for number in sorted(answers, key=int)]
    if none:
        # Of a code that stands for a word, what is no code is the first word again.
        return {"values": said} if len(set(said)) == len(said) else {}
    members = (word for words in said if words for word in words.split(","))
    return {"members": list(dict.fromkeys(members))}
