# SPDX-License-Identifier: Apache-2.0
"""Native threads, for the processes that have no choice of concurrency backend.

oslo.messaging loads oslo.service, which takes eventlet unless it is told before; a
guest, the local cloud and the command-line tools never want it.
"""

import warnings


def prepare() -> None:
    """The first thing ``main`` does, before oslo.messaging is loaded."""
    warnings.filterwarnings("ignore", message=r"\s*Eventlet is deprecated")
    warnings.filterwarnings("ignore", message=r"eventletutils module is deprecated")
    from oslo_service import backend

    backend.init_backend(backend.BackendType.THREADING)
