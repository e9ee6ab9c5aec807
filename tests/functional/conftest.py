# SPDX-License-Identifier: Apache-2.0
"""The suite itself is collected by the child of each backend, never by this process."""

collect_ignore = ["suite", "child.py"]
