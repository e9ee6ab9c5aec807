# SPDX-License-Identifier: Apache-2.0
"""Services: what an action may reach, and the settings it obeys, in one object."""

import dataclasses
import logging
import typing
from collections.abc import Callable, Mapping

from trove import errors
from trove.actions.flavors import Flavors
from trove.actions.images import Chosen
from trove.actions.networks import Usable
from trove.cloud.protocol import Cloud
from trove.context import Context
from trove.db.session import Database
from trove.model import verifications
from trove.rpc.relay import Guests

LOG = logging.getLogger(__name__)

QUOTAS = {"instances": 10, "ram": -1, "volumes": 40, "backups": 400}


@dataclasses.dataclass(frozen=True, slots=True)
class Settings:
    """What an operator decided."""

    public_endpoint: str | None = None
    region: str | None = "RegionOne"
    public_network: str | None = None
    """Which network public addresses are of, where the cloud has several."""
    default_datastore: str | None = None
    max_volume_size: int = 1000
    flavor_cache: float = 60.0
    heartbeat_expiry: float = 90.0
    patience: float = 20.0
    """Seconds that a caller waits for guests whose configuration he changes."""
    page_sizes: Mapping[str, int] = dataclasses.field(default_factory=dict)
    quotas: Mapping[str, int] = dataclasses.field(default_factory=lambda: QUOTAS)
    exposed_logs: frozenset[str] = frozenset({"general", "slow_query"})
    """The logs that others than administrators see."""
    module_types: frozenset[str] = frozenset({"ping"})
    """The types of modules that guests have drivers for."""
    backup_driver: str | None = None
    """The store of backups; None: none is set up, and none are made."""
    snapshots: bool = False
    """Whether a backup may be a snapshot of a volume; that needs no store."""
    backup_container: str = "database_backups"
    """Where backups go that nobody has a word for."""
    schedule_by_default: bool = False
    """Whether backups of a new instance are made of which nobody says otherwise."""
    final_by_default: bool = False
    """Whether an instance is backed up before it is deleted, if nobody says otherwise;
    where there is a store."""
    recycle_days: int = 0
    """How long the volume of a deleted instance is kept; 0: there is no bin."""
    recycle_by_default: bool = False
    """Whether it is kept of an instance of which nobody says otherwise."""
    verify_by_default: int = verifications.NEVER
    """How often those are verified of which nobody says (``model.verifications``)."""
    verify_at_once: int = 1
    """How many backups are verified at the same time, in the whole deployment."""
    interface: str = "public"
    """Which of the catalogue's addresses of the object store is used."""
    guests_object_store: str | None = None
    """``scheme://host:port`` of it for guests, where theirs is another."""
    key_manager_interface: str = "public"
    """Which of the catalogue's addresses of the key manager is asked."""
    verify: bool | str = True
    """How the certificates of the cloud's services are checked (requests')."""
    store_authorities: str = ""
    """CA certificates (PEM) that guests are told of for the object store."""

    def page_size(self, plural: str) -> int:
        """The most of these in one page."""
        return self.page_sizes.get(plural, 20)


class Services:
    """The database, the cloud, the bell that tells a taskmanager of new work, and the
    way to the guests."""

    def __init__(
        self,
        database: Database,
        cloud: Cloud,
        doorbell: Callable[[str], None],
        settings: Settings | None = None,
        flavors: Flavors | None = None,
        guests: Guests | None = None,
        images: Chosen | None = None,
        books: Database | None = None,
        networks: Usable | None = None,
    ) -> None:
        self.database = database
        self.books = books or database
        """Where the end of a deed is written, however often it is tried."""
        self.cloud = cloud
        self.settings = settings or Settings()
        self.flavors = flavors or Flavors(cloud.compute, self.settings.flavor_cache)
        self.images = images or Chosen(cloud.images)
        self.networks = networks or Usable(cloud.network)
        self._doorbell, self._guests = doorbell, guests
        self.rehearsed = False
        """Whether nothing is kept: then no guest is asked either."""

    def rehearsing(self, database: Database, guests: Guests) -> "Services":
        """The same with another database and other guests, and nobody to tell."""
        made = Services(
            database,
            self.cloud,
            lambda operation: None,
            self.settings,
            self.flavors,
            guests,
            self.images,
            networks=self.networks,
        )
        made.rehearsed = True
        return made

    @property
    def asks_guests(self) -> bool:
        """Whether there is a way to them; in a rehearsal, there is none."""
        return self._guests is not None

    def keeping(self, database: Database) -> "Services":
        """The same with a database that keeps what is done for a key."""
        return Services(
            database,
            self.cloud,
            self._doorbell,
            self.settings,
            self.flavors,
            self._guests,
            self.images,
            self.books,
            self.networks,
        )

    def guest(self, instance: str, context: Context) -> typing.Any:
        """An instance's guest, as far as the API may ask it (``rpc.relay.Line``)."""
        if self._guests is None:
            raise errors.GuestSilent(instance=instance)
        return self._guests(instance, context)

    def ring(self, operation_id: str) -> None:
        """Tells a taskmanager. A lost ring costs one poll, so it fails nothing."""
        try:
            self._doorbell(operation_id)
        except Exception:  # the work is accepted, whatever a bus raises
            LOG.warning("operation %s: nobody was told", operation_id, exc_info=True)
