# SPDX-License-Identifier: Apache-2.0
"""What the API's own description allows is answered as it says, with no 5xx (T28).

schemathesis makes the requests, from the document that the running service gives to
anybody. A 501 is an answer that the contract knows.
"""

import collections
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


def ask_all(
    schema: typing.Any, user: typing.Any, id: str, wanted: typing.Callable[[str], bool]
) -> collections.Counter[int]:
    """How often each status came back; raises at the first answer that is not told."""
    counts: collections.Counter[int] = collections.Counter()
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
        counts[answer.status_code] += 1
        what = (case.as_curl_command()[:500], answer.status_code, answer.text[:300])
        assert answer.status_code < 500 or answer.status_code == 501, what
        case.validate_response(answer, checks=CHECKS)

    for found in schema.get_all_operations():
        operation = found.ok()
        if not wanted(operation.method.upper()):
            continue
        given = hypothesis.given(operation.as_strategy())
        hypothesis.settings(
            max_examples=EACH,
            deadline=None,
            database=None,
            derandomize=not LONG,
            suppress_health_check=list(hypothesis.HealthCheck),
        )(given(ask))()
    return counts


@pytest.mark.timeout(3600)
def test_every_operation_answers_as_it_is_described(lab, user):
    where = f"http://127.0.0.1:{user.port}/v1.0/openapi.json"
    schema = schemathesis.openapi.from_url(where)
    id = user.create("described")
    user.ready(id)
    counts = ask_all(schema, user, id, lambda method: True)
    keeper = lab.client("admins", "admin")
    counts += ask_all(schema, keeper, id, lambda method: method == "GET")
    print(f"answers by status: {dict(sorted(counts.items()))}")
    assert counts[200] and counts[400] and counts[404]
    user.delete(*user.states())
