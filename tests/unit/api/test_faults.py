# SPDX-License-Identifier: Apache-2.0
"""Every error has a status, a key and a sentence."""

import inspect

import pytest

from trove import errors
from trove.api import faults

ALL = [
    kind
    for module in (errors, faults)
    for kind in vars(module).values()
    if inspect.isclass(kind) and issubclass(kind, errors.TroveError)
]


@pytest.mark.parametrize("kind", ALL)
def test_no_error_is_forgotten(kind: type[errors.TroveError]) -> None:
    error = kind("what happened", allow="GET", retry_after=1, details="d")
    status, body, _ = faults.described(error, "req-1")
    ((key, fault),) = body.items()
    assert key == faults.KEYS[status]
    assert fault["code"] == status


@pytest.mark.parametrize(
    "error, status",
    [
        (errors.Invalid(why="x"), 400),
        (errors.InstanceNotFound(id="x"), 404),
        (errors.IdempotencyMismatch(), 409),
        (errors.QuotaExceeded(resources="x"), 413),
        (errors.InstanceBusy(instance="x", task="y"), 422),
        (errors.NotSupported(datastore="x", what="y"), 501),
        (errors.GuestSilent(instance="x"), 503),
        (errors.EngineFailed(why="x"), 503),
        (errors.LeaseLost(operation="x"), 500),
    ],
)
def test_families(error: errors.TroveError, status: int) -> None:
    assert faults.status_of(error) == status


def test_what_broke_inside_is_not_told() -> None:
    status, body, _ = faults.described(
        errors.Internal(why="the vault is open"), "req-7"
    )
    assert status == 500
    assert "vault" not in str(body)
    assert "req-7" in body["instanceFault"]["message"]


def test_the_rate_limits_details() -> None:
    error = errors.RateLimited(retry_after=17, details="Only 200.")
    _, body, headers = faults.described(error, "req-1")
    assert body == {
        "overLimit": {
            "code": 413,
            "message": "This request was rate-limited.",
            "details": "Only 200.",
            "retryAfter": "17",
        }
    }
    assert headers == {"Retry-After": "17"}


def test_other_peoples_statuses() -> None:
    assert faults.key_of(418) == "badRequest"
    assert faults.key_of(599) == "instanceFault"
    assert faults.sentence_of(418, "r") == faults.SENTENCES[400]
