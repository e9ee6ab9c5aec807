# SPDX-License-Identifier: Apache-2.0
"""Where everything of a guest is kept; all of it on the root disk, never on the data's.

A full data volume must not stop the agent from writing down what it does.
"""

import dataclasses
import pathlib


@dataclasses.dataclass(frozen=True, slots=True)
class Places:
    """The directories, and the files in them."""

    state: pathlib.Path = pathlib.Path("/var/lib/trove-guest")
    etc: pathlib.Path = pathlib.Path("/etc/trove")
    cloud: pathlib.Path = pathlib.Path("/var/lib/cloud")

    @property
    def conf(self) -> pathlib.Path:
        """The guest's configuration, from its user data."""
        return self.etc / "guest.conf"

    @property
    def broker_ca(self) -> pathlib.Path:
        """The authority that the broker's certificate must come from."""
        return self.etc / "broker-ca.pem"

    @property
    def seed(self) -> pathlib.Path:
        """What a cloud that writes into the server's root leaves for the first boot."""
        return self.cloud / "seed/config_drive/openstack/latest/user_data"

    @property
    def drive(self) -> pathlib.Path:
        """Where a config drive is mounted for a moment."""
        return self.state / "drive"

    @property
    def jobs(self) -> pathlib.Path:
        """The ledger, one file a job."""
        return self.state / "jobs"

    @property
    def boot(self) -> pathlib.Path:
        """How often the agent was started."""
        return self.state / "boot"

    @property
    def identity(self) -> pathlib.Path:
        """The guest's own keys and broker password."""
        return self.state / "identity.json"

    @property
    def guest(self) -> pathlib.Path:
        """What the guest is: instance, datastore. The agent alone writes it."""
        return self.state / "guest.json"

    @property
    def course(self) -> pathlib.Path:
        """How far it has come: volume, prepared, running. Jobs alone write it."""
        return self.state / "course.json"

    @property
    def modules(self) -> pathlib.Path:
        """Which modules it has, and what their drivers said. Jobs alone write it."""
        return self.state / "modules.json"

    @property
    def logs(self) -> pathlib.Path:
        """How much of each log was published, and copies of what is in the journal."""
        return self.state / "logs"

    @property
    def tls(self) -> pathlib.Path:
        """The server's key, certificate and CA, as the agent keeps them."""
        return self.state / "tls"

    @property
    def engine_tls(self) -> pathlib.Path:
        """The same, as the engine may read them."""
        return self.etc / "tls"
