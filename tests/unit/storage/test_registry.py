# SPDX-License-Identifier: Apache-2.0
"""Which of a catalogue's services is an object store that we speak to."""

from trove.storage import registry, swift


def test_swift_is_what_the_catalogue_calls_object_store():
    assert registry.opens("object-store") is swift.Swift


def test_another_service_is_none():
    assert registry.opens("volume") is None
