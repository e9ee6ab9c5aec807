# SPDX-License-Identifier: Apache-2.0
"""Chaos needs a seal key, and nothing else from outside."""

from cryptography import fernet

from trove.db import types

types.use_key(fernet.Fernet.generate_key())
