# SPDX-License-Identifier: Apache-2.0
"""A store of parts that is a dictionary."""

from trove.storage.pipeline import Put


def into(data: dict[int, bytes]) -> Put:
    """Brings each part there."""

    def put(number: int, /, *pieces: bytes) -> None:
        data[number] = b"".join(pieces)

    return put
