# SPDX-License-Identifier: Apache-2.0
"""trove-guestagent rules: what the engine of this image takes, as a rules file."""

import argparse
import sys
import typing

from trove import errors
from trove.datastores import registry, rules
from trove.datastores.protocol import Host

DESCRIPTION = f"""\
Writes the rules of a datastore's parameters, as the engine that is installed here says
them itself and as far as our policy goes, as a rules file to standard output. In an
image the file belongs to {rules.DIRECTORY}/DATASTORE.json; the control plane is given
the same one by 'trove-manage parameters load'. Nothing that runs is touched."""


def text(name: str, host: Host) -> str:
    """The file of a datastore, by the engine of this machine."""
    datastore = registry.get(name)
    said = registry.engine(name, host).describe()
    left = rules.narrowed(datastore.policy, said.rules)
    return rules.write(name, said.version, left)


def main(argv: typing.Sequence[str], host: Host) -> int:
    """The command; 1 when the engine cannot be asked."""
    parser = argparse.ArgumentParser("trove-guestagent rules", description=DESCRIPTION)
    parser.add_argument("datastore", choices=registry.names())
    asked = parser.parse_args(argv)
    try:
        sys.stdout.write(text(asked.datastore, host))
    except (errors.TroveError, OSError) as failed:
        sys.stderr.write(f"trove-guestagent: {failed}\n")
        return 1
    return 0
