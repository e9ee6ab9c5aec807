# SPDX-License-Identifier: Apache-2.0
"""What the engines of the classic protocol have in common: their SQL and their files.

No datastore by itself: there is no ``spec.py`` here. It is loaded in a guest only.
"""
