# SPDX-License-Identifier: Apache-2.0
"""Opens what it is given with the guest's own key: run inside a guest.

Orders on stdin: ``{name: sealed text, ...}``; one line of JSON, by name: the content,
or None where the agent's own code refuses to open it.
"""

import json
import pathlib
import sys

from trove import errors
from trove.rpc import sealing

IDENTITY = pathlib.Path("/var/lib/trove-guest/identity.json")


def main():
    """All of them, with the agent's key."""
    key = json.loads(IDENTITY.read_text())["private_key"]
    found = {}
    for name, sealed in json.load(sys.stdin).items():
        try:
            found[name] = sealing.unseal(key, sealed)
        except errors.Invalid:
            found[name] = None
    print(json.dumps(found))


if __name__ == "__main__":
    main()
