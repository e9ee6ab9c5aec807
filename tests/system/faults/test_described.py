# SPDX-License-Identifier: Apache-2.0
"""What the API's own description allows is answered as it says, with no 5xx (T28).

schemathesis makes the requests, from the document that the running service gives to
anybody. A 501 is an answer that the contract knows.
"""

import collections
import dataclasses
import typing

import hypothesis
import pytest
import schemathesis
from schemathesis.specs.openapi import checks

from tests.system.faults.conftest import LONG

pytestmark = [pytest.mark.root, pytest.mark.mariadb, pytest.mark.rabbitmq]

EACH = 60 if LONG else 6
"""Requests of each operation, and role."""
CHECKS = [
    checks.response_schema_conformance,
    checks.status_code_conformance,
    checks.content_type_conformance,
]


@dataclasses.dataclass
class Asked:
    """What was asked, and how it ended."""

    operations: int = 0
    cases: int = 0
    statuses: collections.Counter[int] = dataclasses.field(
        default_factory=collections.Counter
    )
    failures: list[str] = dataclasses.field(default_factory=list)

    def __str__(self) -> str:
        return (
            f"schemathesis: {self.operations} operations, {self.cases} cases, "
            f"{len(self.failures)} failures; answers by status: "
            f"{dict(sorted(self.statuses.items()))}"
        )


def ask_all(
    asked: Asked,
    schema: typing.Any,
    user: typing.Any,
    id: str,
    wanted: typing.Callable[[str], bool],
) -> None:
    """Each operation, several times; what is not told of one does not spare another."""
    headers = {
        "X-Auth-Token": f"{user.role}:{user.project}",
        "Accept": "application/json",
    }
    url = f"http://127.0.0.1:{user.port}/v1.0"

    def ask(case: typing.Any) -> None:
        case.path_parameters["tenant"] = user.project
        if "instances/{id}" in case.operation.path:
            case.path_parameters["id"] = id
        answer = case.call(base_url=url, headers=headers)
        asked.cases += 1
        asked.statuses[answer.status_code] += 1
        what = (case.as_curl_command()[:500], answer.status_code, answer.text[:300])
        assert answer.status_code < 500 or answer.status_code == 501, what
        case.validate_response(answer, checks=CHECKS)

    for found in schema.get_all_operations():
        operation = found.ok()
        if not wanted(operation.method.upper()):
            continue
        asked.operations += 1
        given = hypothesis.given(operation.as_strategy())
        play = hypothesis.settings(
            max_examples=EACH,
            deadline=None,
            database=None,
            derandomize=not LONG,
            suppress_health_check=list(hypothesis.HealthCheck),
        )(given(ask))
        try:
            play()
        except (AssertionError, BaseExceptionGroup) as failed:
            asked.failures.append(f"{operation.label}: {failed}")


@pytest.mark.timeout(3600)
def test_every_operation_answers_as_it_is_described(lab, user, record_property):
    where = f"http://127.0.0.1:{user.port}/v1.0/openapi.json"
    schema = schemathesis.openapi.from_url(where)
    id = user.create("described")
    user.ready(id)
    asked = Asked()
    ask_all(asked, schema, user, id, lambda method: True)
    keeper = lab.client("admins", "admin")
    ask_all(asked, schema, keeper, id, lambda method: method == "GET")
    record_property("summary", str(asked))
    assert asked.failures == []
    told = asked.statuses
    assert told[200] and told[400] and told[404]
    user.delete(*user.states())
