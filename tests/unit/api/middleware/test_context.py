# SPDX-License-Identifier: Apache-2.0
"""The context says what keystonemiddleware confirmed and no more."""

import webob

from trove.api.middleware.context import ContextOf
from trove.api.router import CONTEXT
from trove.context import Context


def test_a_context() -> None:
    headers = {
        "X-Project-Id": "p",
        "X-User-Id": "u",
        "X-Roles": "member, reader,",
        "X-Is-Admin": "True",
    }
    request = webob.Request.blank("/", headers=headers)
    request.environ["openstack.request_id"] = "req-1"
    judged: list[Context] = []

    def judge(context: Context) -> bool:
        judged.append(context)
        return "chief" in context.roles

    request.get_response(ContextOf(webob.Response(), judge))
    context = request.environ[CONTEXT]
    assert context == Context("p", "u", ("member", "reader"), False, "req-1")
    assert judged == [context]
