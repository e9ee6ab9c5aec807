# SPDX-License-Identifier: Apache-2.0
"""Modules in a guest: their drivers, and which of them this guest has."""
