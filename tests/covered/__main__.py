# SPDX-License-Identifier: Apache-2.0
"""``python -m tests.covered [RECORD...]``: adds records to the table, writes the page.

A record is what a run of the tests writes into the file that TROVE_TEST_RECORD names.
Ends with 1 when a cell is empty, and says which.
"""

import pathlib
import sys

from tests.covered import table


def main(arguments: list[str]) -> int:
    recorded = table.read(map(pathlib.Path, arguments))
    new = table.merged(table.kept(), recorded)
    table.write(new)
    gaps = table.gaps(new)
    print("\n".join(gaps) or f"{len(new)} lines, no cell is empty")
    return 1 if gaps else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
