# SPDX-License-Identifier: Apache-2.0
"""Where everything of an engine is in its guest."""

import dataclasses


@dataclasses.dataclass(frozen=True, slots=True)
class Places:
    """Absolute paths.

    The volume holds ``data`` as a subdirectory: a mount point has its lost+found, and a
    half-made directory can be told from a whole one by its name.
    """

    volume: str
    settings: str
    runtime: str
    unit: str

    @property
    def data(self) -> str:
        """The engine's own data directory; it is there when it is whole."""
        return f"{self.volume}/data"

    @property
    def data_unfinished(self) -> str:
        """The same, while it is made."""
        return f"{self.volume}/data.unfinished"

    @property
    def tls(self) -> str:
        """The engine's own copies of what it serves TLS with."""
        return f"{self.settings}/tls"

    @property
    def pair(self) -> str:
        """The server's key and certificate, one file."""
        return f"{self.tls}/server.pem"

    @property
    def authority(self) -> str:
        """The CA."""
        return f"{self.tls}/ca.crt"

    @property
    def mode(self) -> str:
        """One word: how connections over the network are made."""
        return f"{self.tls}/mode"
