# SPDX-License-Identifier: Apache-2.0
"""A certificate is replaced under a living engine, and no connection is lost."""

import contextlib
import pathlib

import pytest

from trove import errors


def test_an_open_connection_stays_and_a_new_one_sees_the_new_certificate(lab):
    lab.account("ann", "ann's password", "anns")
    process = lab.process()
    first = lab.certify()
    assert lab.client.shown() == first
    with lab.client.login("ann", "ann's password", "anns") as run:
        lab.client.make(run, "held")
        seen = {first}
        for number in range(3):
            serial = lab.certify()
            assert lab.client.shown() == serial
            seen.add(serial)
            lab.client.put(run, "held", number)
        assert len(seen) == 4
        with lab.client.login("ann", "ann's password", "anns") as other:
            assert sorted(lab.client.numbers(other, "held")) == [0, 1, 2]
    assert lab.process() == process


def test_many_connections_live_through_it(lab):
    lab.account("crew", "crew password", "crews")
    with contextlib.ExitStack() as stack:
        crew = [
            stack.enter_context(lab.client.login("crew", "crew password", "crews"))
            for _ in range(10)
        ]
        lab.certify()
        assert all(lab.client.answers(run) for run in crew)


def test_a_stopped_engine_shows_it_when_it_starts(lab):
    lab.engine.stop()
    serial = lab.certify()
    lab.engine.start()
    assert lab.client.shown() == serial


def test_a_frozen_engine_is_told_in_time_and_keeps_what_it_has(lab):
    import os
    import signal

    before = lab.certify()
    os.kill(lab.process(), signal.SIGSTOP)
    try:
        with pytest.raises(errors.EngineFailed):
            lab.certify()
    finally:
        os.kill(lab.process(), signal.SIGCONT)
    assert lab.client.shown() in (before, serial_in(lab))
    assert lab.certify() == lab.client.shown()


def serial_in(lab):
    """The serial of the pair that the engine will load."""
    from cryptography import x509

    text = pathlib.Path(lab.tls.pair).read_bytes()
    start = text.index(b"-----BEGIN CERTIFICATE")
    return f"{x509.load_pem_x509_certificate(text[start:]).serial_number:x}"
