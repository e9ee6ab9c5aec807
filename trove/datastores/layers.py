# SPDX-License-Identifier: Apache-2.0
"""An engine's configuration in layers: one file each, of which a later one wins.

Engine, flavor, service, group, logs, forced, guard. A group can name nothing that a
service or forced layer says: only its datastore's parameters.
"""

import dataclasses
import json
import typing

from trove import errors
from trove.datastores.protocol import Host

WRITTEN = ("00-engine", "10-flavor", "20-service", "50-group", "90-forced")
GROUP = WRITTEN[3]
LOGS = "70-logs"
"""Which logs are written: a user's word, through the logs of an instance."""
GUARD = "95-guard"
"""The agent's own: what the full disk asks for. It outlives a configuration."""

Settings = dict[str, typing.Any]


@dataclasses.dataclass(frozen=True, slots=True)
class Grammar:
    """How an engine's files are written."""

    suffix: str
    include: str
    """A line that includes ``{path}``."""
    on: str
    off: str
    quote: str
    """The character round a text. Doubled inside it if ``doubled``, else refused."""
    doubled: bool
    head: str = ""
    """The first line of each file."""
    between: str = " = "
    """What stands between a name and its value."""

    def render(self, settings: Settings) -> str:
        """The text of one layer.

        A value that could end its line, or its quotes, is a mistake of ours by now.
        """
        lines = [
            f"{name}{self.between}{self._word(name, settings[name])}\n"
            for name in settings
        ]
        return self.head + "".join(sorted(lines))

    def _word(self, name: str, value: typing.Any) -> str:
        refused = "\\" if self.doubled else "\\" + self.quote
        match value:
            case bool():
                return self.on if value else self.off
            case int() | float():
                return str(value)
            case str() if not any(c in refused or ord(c) < 32 for c in value):
                return (
                    self.quote + value.replace(self.quote, self.quote * 2) + self.quote
                )
            case _:
                raise errors.Internal(why=f"{name} cannot be written down.")


class Layers:
    """The files of one engine. ``main`` is the one that the engine itself opens."""

    def __init__(self, host: Host, directory: str, main: str, grammar: Grammar) -> None:
        self._host = host
        self._directory = directory
        self._grammar = grammar
        self.main = f"{directory}/{main}"
        self.staged = f"{directory}/staged{grammar.suffix}"
        """Where a configuration lies while the engine tries it out."""

    def path(self, name: str) -> str:
        """The path of a layer."""
        return f"{self._directory}/{name}{self._grammar.suffix}"

    def stage(self, settings: typing.Sequence[Settings]) -> list[str]:
        """The text of each written layer; all of them, in one file, to be tried out."""
        texts = [self._grammar.render(layer) for layer in settings]
        self._host.write_file(self.staged, "".join(texts))
        return texts

    def write(self, texts: typing.Sequence[str]) -> None:
        """Puts the layers in their places; the guard stays what it is."""
        for name, text in zip(WRITTEN, texts, strict=True):
            self._host.write_file(self.path(name), text)
        if not self._host.exists(self.path(GUARD)):
            self.guard({})
        self._write_logs(self.logs())

    def logs(self) -> Settings:
        """What the logs' layer says."""
        return self._kept("logs") or {}

    def note_logs(self, settings: Settings) -> None:
        """The logs' layer says this beside what it said."""
        wanted = self.logs() | settings
        self._keep("logs", wanted)
        self._write_logs(wanted)

    def _write_logs(self, settings: Settings) -> None:
        self._host.write_file(self.path(LOGS), self._grammar.render(settings))
        index = [
            self._grammar.include.format(path=self.path(name))
            for name in (*WRITTEN[:-1], LOGS, WRITTEN[-1], GUARD)
        ]
        self._host.write_file(self.main, "".join(index))

    # -- the group's values, of which those before are kept until the engine is well

    def group(self) -> Settings:
        """The group's values that are written down."""
        return self._kept("group") or {}

    def note(self, group: Settings) -> None:
        """These are the group's values from now on; written before their layer is."""
        if self._kept("before") is None:
            self._keep("before", self.group())
        self._keep("group", group)

    def keep(self) -> None:
        """The engine is well with the values it has."""
        self._host.remove(self._json("before"))

    def retreat(self) -> Settings | None:
        """Writes the values before these; None: the engine was well with these."""
        before = self._kept("before")
        if before is None:
            return None
        self._keep("group", before)
        self._host.write_file(self.path(GROUP), self._grammar.render(before))
        self.keep()
        return before

    def _json(self, name: str) -> str:
        return f"{self._directory}/{name}.json"

    def _kept(self, name: str) -> Settings | None:
        text = self._host.read_file(self._json(name))
        return None if text is None else typing.cast(Settings, json.loads(text))

    def _keep(self, name: str, group: Settings) -> None:
        self._host.write_file(self._json(name), json.dumps(group, sort_keys=True))

    def force(self, settings: Settings) -> None:
        """Sets the forced layer alone."""
        self._host.write_file(self.path(WRITTEN[-1]), self._grammar.render(settings))

    def guard(self, settings: Settings) -> bool:
        """Sets the last layer; True if that changed anything."""
        text = self._grammar.render(settings)
        return self._host.write_file(self.path(GUARD), text)
