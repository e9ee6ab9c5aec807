# SPDX-License-Identifier: Apache-2.0
"""Which of a cloud's networks floating IPs are taken of."""

import typing

from trove.cloud.protocol import Network


def choose(networks: typing.Iterable[Network], wanted: str | None) -> Network | None:
    """The one of this name or id, or the only public one; None: nobody can tell.

    To guess between several would give a database an address of the wrong world.
    """
    public = [network for network in networks if network.public]
    if wanted:
        public = [network for network in public if wanted in (network.id, network.name)]
    return public[0] if len(public) == 1 else None
