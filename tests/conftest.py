# SPDX-License-Identifier: Apache-2.0
"""For every test: native threads in this process, and no network for a unit test.

oslo.messaging loads oslo.service, which takes eventlet unless it is told before.
Processes that tests start choose for themselves.

How several workers (``-n``) share the tests is in ``tests/pieces.py``.
"""

import gc
import ipaddress
import itertools
import pathlib
import sys
import typing
import warnings

import hypothesis
import pytest

from tests import pieces

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


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--all-datastores",
        action="store_true",
        help="also those that a deployment does not begin with, and each version",
    )


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The long ones before the short, so that no worker is left with one at the end."""
    items.sort(key=lambda item: pieces.turn(item.nodeid))


def pytest_collection_finish() -> None:
    """What was imported and collected stays: to look through it again and again for
    what could go took a quarter of the time of the API's tests."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 50, 50)


def pytest_terminal_summary(terminalreporter: typing.Any) -> None:
    """Figures that a test gives to ``record_property("summary", ...)``."""
    reports = itertools.chain(*terminalreporter.stats.values())
    said = [
        text
        for report in reports
        if getattr(report, "when", "") == "call"
        for name, text in report.user_properties
        if name == "summary"
    ]
    if said:
        terminalreporter.section("figures")
        for text in said:
            terminalreporter.write_line(text)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: typing.Any) -> typing.Any:
    """Pieces of work for the workers (``--dist loadscope``)."""
    if config.getoption("dist") != "loadscope":
        return None
    return pieces.scheduler(config, log)
