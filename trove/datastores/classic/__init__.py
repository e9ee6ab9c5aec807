# SPDX-License-Identifier: Apache-2.0
"""What the engines of the classic protocol have in common: their SQL and their files.

No datastore by itself: there is no ``spec.py`` here. What is loaded
outside a guest is ``names`` and ``firststeps``.
"""
