# SPDX-License-Identifier: Apache-2.0
"""Which route is covered by which test, asked by which client: heard, not claimed.

Every request of a test is heard (``recorder``), named by the declaration it belongs to
(``units``) and kept in ``covered.json`` (``table``), of which a page is made. A test
that the table names fails when it does not ask what the table says.
"""
