# SPDX-License-Identifier: Apache-2.0
"""How a user comes into the toy from outside; for whoever begins with one."""

import contextlib
import ssl

from toykv.wire import FAILURES, remote
from trove import errors
from trove.datastores.spec import Entrance

CLIENT = "openssl s_client -quiet -CAfile {authority} -connect {address}:7379"
WITHIN = 20.0


def enter(where: Entrance) -> tuple[str, str]:
    """What the server says it is, and the cipher of the connection."""
    context = ssl.create_default_context(cafile=where.authority)
    try:
        talk = remote((where.address, where.port), context, WITHIN)
        with contextlib.closing(talk):
            talk.ask("AUTH", where.user, where.password, within=WITHIN)
            return talk.ask("HELLO", within=WITHIN), talk.cipher
    except FAILURES as failed:
        raise errors.Internal(why=f"the toy let nobody in: {failed}") from failed
