# SPDX-License-Identifier: Apache-2.0
"""For every test: the suite's own process has native threads.

oslo.messaging loads oslo.service, which takes eventlet unless it is told before.
Processes that tests start choose for themselves.
"""

import warnings

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from oslo_service import backend

    backend.init_backend(backend.BackendType.THREADING)
