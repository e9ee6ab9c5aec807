# SPDX-License-Identifier: Apache-2.0
"""``app_factory``, under the name that Trove's paste files use; nothing imports it."""

from trove.api.app import app_factory

__all__ = ["app_factory"]
