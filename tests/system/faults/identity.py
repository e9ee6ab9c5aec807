# SPDX-License-Identifier: Apache-2.0
"""The laboratory's API believes a token ``role:project``; paste finds it here."""

import typing

from tests.functional.suite.client import Authenticator


def filter_factory(global_conf: dict[str, str], **local_conf: str) -> typing.Any:
    """In the place of keystonemiddleware."""
    return Authenticator
