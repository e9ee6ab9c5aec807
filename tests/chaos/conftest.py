# SPDX-License-Identifier: Apache-2.0
"""Chaos needs a seal key, and nothing else from outside."""

import gc

from cryptography import fernet

from trove.db import types

types.use_key(fernet.Fernet.generate_key())

# Worlds make millions of short-lived rows, and what was imported stays.
gc.freeze()
gc.set_threshold(50_000, 50, 50)
