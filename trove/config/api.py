# SPDX-License-Identifier: Apache-2.0
"""The options of the API: its links, pages and rates."""

from oslo_config import cfg

GROUP = cfg.OptGroup("api", title="The API")


def _page(what: str) -> cfg.Opt:
    return cfg.IntOpt(
        f"{what}_page_size",
        default=20,
        min=1,
        max=1000,
        help=f"{what.capitalize()} in one page of a list, at the most.",
    )


def _rate(name: str, what: str) -> cfg.Opt:
    return cfg.IntOpt(
        f"{name}_rate",
        default=200,
        min=0,
        help=f"{what} requests a minute for each project and API process; 0 means "
        "no limit.",
    )


OPTS = [
    cfg.StrOpt(
        "public_endpoint",
        help="What links begin with (https://host:port) when that differs from how the "
        "request came in.",
    ),
    cfg.StrOpt("region", default="RegionOne", help="The region shown for instances."),
    cfg.StrOpt(
        "default_datastore",
        help="Name or id of the datastore of an instance that names none.",
    ),
    cfg.IntOpt(
        "max_volume_size",
        default=1000,
        min=1,
        help="The largest volume (GiB) that may be asked for.",
    ),
    cfg.IntOpt(
        "flavor_cache",
        default=60,
        min=0,
        max=3600,
        help="Seconds for which the cloud's list of flavors is believed.",
    ),
    cfg.IntOpt(
        "heartbeat_expiry",
        default=90,
        min=5,
        max=3600,
        help="Seconds without a report after which a guest counts as silent.",
    ),
    cfg.IntOpt(
        "connect_timeout",
        default=3,
        min=1,
        max=30,
        help="Seconds that the health check waits for the broker.",
    ),
    cfg.ListOpt(
        "exposed_logs",
        default=["general", "slow_query"],
        help="The logs of databases that others than administrators see and publish.",
    ),
    cfg.ListOpt(
        "module_types",
        default=["ping"],
        help="The types of modules that may be made: those that the guest images have "
        "a driver for (an entry point of trove.guestagent.modules).",
    ),
    cfg.StrOpt(
        "object_store_interface",
        default="public",
        choices=["public", "internal", "admin"],
        help="Which of the catalogue's addresses of the object store (Swift) is used, "
        "with the caller's token, when logs are published.",
    ),
    cfg.StrOpt(
        "guests_object_store",
        help="scheme://host:port at which guests reach the object store, where it is "
        "not the one of the catalogue. [taskmanager] object_stores lets them.",
    ),
    cfg.StrOpt(
        "key_manager_interface",
        default="public",
        choices=["public", "internal", "admin"],
        help="Which of the catalogue's addresses of the key manager (Barbican) is "
        "asked, with the caller's token, for the certificate that he brings.",
    ),
    _page("instances"),
    _page("databases"),
    _page("users"),
    _page("backups"),
    _page("configurations"),
    _page("clusters"),
    _page("modules"),
    _rate("post", "POST"),
    _rate("put", "PUT"),
    _rate("delete", "DELETE"),
    _rate("get", "GET"),
    _rate("mgmt_post", "POST (to /mgmt)"),
    cfg.IntOpt(
        "unauthenticated_rate",
        default=300,
        min=0,
        help="Requests a minute without a valid token from one address (an IPv6 /64) "
        "and for each API process; then none from there is looked at for a while. 0 "
        "means no limit. Behind a proxy, let it set X-Forwarded-For and set "
        "enable_proxy_headers_parsing in [oslo_middleware], or else set this to 0: "
        "everybody would have the proxy's address.",
    ),
]
