# SPDX-License-Identifier: Apache-2.0
"""The rules' layer of a guest image: what its own engines say of their parameters.

Asked by the image's own agent, inside the image, once for a content.
"""

import pathlib
import shutil
import typing

from trove.datastores import rules
from trove.localcloud import agentlayer, inside, programs

DECISIVE = ("datastores/", "guestagent/rules.py", "guestagent/host.py")
"""Of the agent's code, what makes the rules; another layer when it is another."""
RECIPE = repr((rules.DIRECTORY, DECISIVE, 1))
PYTHON = "/usr/bin/python3"
LONGEST = 600.0


def content(sources: agentlayer.Sources) -> list[str | bytes]:
    """What the layer is named after, beside the layers that are asked."""
    parts: list[str | bytes] = [RECIPE]
    for name, path in sources.items():
        if name.startswith(DECISIVE):
            parts += [name, path.read_bytes()]
    return parts


def make(
    root: pathlib.Path,
    asked: typing.Sequence[pathlib.Path],
    datastores: typing.Iterable[str],
    host: programs.Runner,
    progress: typing.Callable[[str], None],
) -> None:
    """A file for each datastore; ``asked`` are the layers that have the engines."""
    progress("guest image: what its engines say of their parameters")
    scratch = root / ".scratch"
    for name in datastores:
        words = (PYTHON, "-m", "trove.cmd.guestagent", "rules", name)
        said = host.run(*inside.command(asked, scratch, *words), within=LONGEST)
        path = file(root, name)
        rules.read(said, name)  # or there is no layer
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(said + "\n")
        shutil.rmtree(scratch, ignore_errors=True)


def file(root: pathlib.Path, datastore: str) -> pathlib.Path:
    """Where the rules of a datastore are below ``root``."""
    return root / rules.path(datastore).lstrip("/")
