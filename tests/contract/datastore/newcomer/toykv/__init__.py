# SPDX-License-Identifier: Apache-2.0
"""A datastore from outside: nobody in Trove knows its name."""
