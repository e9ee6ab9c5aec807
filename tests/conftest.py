# SPDX-License-Identifier: Apache-2.0
"""For every test: native threads in this process, and no network for a unit test.

oslo.messaging loads oslo.service, which takes eventlet unless it is told before.
Processes that tests start choose for themselves.

Several workers (``-n``) share the tests by what these have in common: tests that share
servers stay with one worker, most others go file by file.
"""

import ipaddress
import pathlib
import sys
import typing
import warnings

import hypothesis
import pytest

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from oslo_service import backend

    backend.init_backend(backend.BackendType.THREADING)

# How long a machine takes to draw a value is no fault of the code under test; the first
# draw of a new machine also writes the tables of Unicode.
hypothesis.settings.register_profile(
    "trove",
    deadline=None,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
hypothesis.settings.load_profile("trove")

_TESTS = pathlib.Path(__file__).parent
_UNIT = _TESTS / "unit"

# What stands at addresses of its own, where a second of the kind would find them taken,
# and what shares guests or servers that take long to start. Whose name begins so is
# one piece of work; each worker has a deployment of its own for the rest of ``system``.
_TOGETHER = {
    "system/localcloud/": "localcloud",
    "system/faults/": "laboratory",
    "system/test_attacks": "taken over",
    "system/test_compromised": "taken over",
    "contract/cloud/": "contract/cloud",
    "contract/datastore/": "contract/datastore",
    "contract/guest/": "contract/guest",
    "contract/rpc/": "contract/rpc",
    "contract/db/": "contract/db",
}
_FIRST = (
    "system/faults/",
    "system/test_attacks",
    "system/test_compromised",
    "system/test_",
    "system/",
    "functional/",
    "contract/",
)
_ALONE = ("chaos", "architecture")
"""Each test of these is a piece of work by itself."""
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


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The long ones before the short, so that no worker is left with one at the end."""
    items.sort(key=lambda item: _turn(item.nodeid))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: typing.Any) -> typing.Any:
    """Pieces of work for the workers (``--dist loadscope``)."""
    if config.getoption("dist") != "loadscope":
        return None
    from xdist.scheduler import LoadScopeScheduling

    class Pieces(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return _piece(nodeid)

    return Pieces(config, log)


def _piece(nodeid: str) -> str:
    """The name of the piece of work that a test belongs to."""
    place, _, name = nodeid.removeprefix("tests/").partition("::")
    for beginning, piece in _TOGETHER.items():
        if place.startswith(beginning):
            return piece
    top = place.split("/")[0]
    if top == "functional":
        return f"{top} {name.partition('-')[0]}"  # its backend: one process for all
    return nodeid if top in _ALONE else place


def _turn(nodeid: str) -> int:
    place = nodeid.removeprefix("tests/")
    for turn, beginning in enumerate(_FIRST):
        if place.startswith(beginning):
            return turn
    return len(_FIRST)
