# SPDX-License-Identifier: Apache-2.0
"""A request with an Idempotency-Key is carried out once, whatever it asks for."""

import dataclasses
import typing

from trove.actions.begin import Token
from trove.actions.once import Once
from trove.api.resource import Ask, Deed, Op


def carried(op: Op, ask: Ask, do: Deed) -> typing.Any:
    """The deed's result. Of one that has none, and is over, nothing is looked at: the
    instance may be gone."""
    if ask.key is None or op.method == "GET":
        return do(ask)
    said = [op.method, ask.links.path, _meant(ask.body)]
    query = {
        each.name: ask.query[each.name] for each in op.queries if each.name in ask.query
    }
    if query:  # keys of before a request could have any stay good
        said.append(query)
    once = Once(ask.services, ask.owner, Token(ask.key, said))
    if once.over and op.view is None:
        return None
    result = do(dataclasses.replace(ask, services=once.services))
    once.end()
    return result


def _meant(value: typing.Any) -> typing.Any:
    """A body as JSON and XML both say it: XML has no numbers and no null."""
    if isinstance(value, dict):
        return {k: _meant(v) for k, v in value.items() if v is not None}
    if isinstance(value, list | tuple):
        return [_meant(each) for each in value]
    if isinstance(value, bool):
        return str(value).lower()
    return str(value)
