# SPDX-License-Identifier: Apache-2.0
"""One backend's run of the suite: its process chooses before it imports anything else.

``python -m tests.functional.child CONFIGURATION-FILE PYTEST-ARGUMENT...``
"""

import sys

from trove.service import concurrency


def main() -> int:
    """Patched, if the file says so, exactly as the processes of the product are."""
    file, *words = sys.argv[1:]
    concurrency.prepare(["--config-file", file], "trove-functional")
    import pytest

    return int(pytest.main(words))


if __name__ == "__main__":
    sys.exit(main())
