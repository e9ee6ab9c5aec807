# SPDX-License-Identifier: Apache-2.0
"""For every test: native threads in this process, and no network for a unit test.

oslo.messaging loads oslo.service, which takes eventlet unless it is told before.
Processes that tests start choose for themselves.
"""

import ipaddress
import pathlib
import sys
import typing
import warnings

import pytest

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from oslo_service import backend

    backend.init_backend(backend.BackendType.THREADING)

_UNIT = pathlib.Path(__file__).parent / "unit"
_closed = [False]


def _guard(event: str, arguments: tuple[typing.Any, ...]) -> None:
    if event != "socket.connect" or not _closed[0]:
        return
    address = arguments[1]
    if not isinstance(address, tuple):
        return  # a path: AF_UNIX
    host = str(address[0])
    try:
        near = ipaddress.ip_address(host).is_loopback
    except ValueError:
        near = host == "localhost"
    if not near:
        raise RuntimeError(f"a unit test connects to {host}")


sys.addaudithook(_guard)


@pytest.fixture(autouse=True)
def _unit_tests_stay_on_this_machine(request: pytest.FixtureRequest):
    """A connection from a unit test to anywhere else is an error."""
    _closed[0] = _UNIT in request.path.parents
    yield
    _closed[0] = False
