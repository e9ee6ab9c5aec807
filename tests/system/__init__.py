# SPDX-License-Identifier: Apache-2.0
"""A package for pytest: a deployment ends with the last test of it, not of a worker."""
