# SPDX-License-Identifier: Apache-2.0
"""A package for pytest: the laboratory ends with the last test of it."""
