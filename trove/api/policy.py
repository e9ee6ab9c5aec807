# SPDX-License-Identifier: Apache-2.0
"""Who may: oslo.policy rules, derived from the declarations.

A reader of the project may read, a member may also change, an admin may everything and
reaches other projects' things by their id. The names are those that operators' policy
files contain already.
"""

import time
import typing

from oslo_config import cfg
from oslo_policy import policy

from trove import errors
from trove.api.resource import Op
from trove.api.resources import TABLE
from trove.api.table import Table
from trove.context import Context

BASE = (
    policy.RuleDefault("context_is_admin", "role:admin", "Who counts as an admin."),
    policy.RuleDefault("admin", "rule:context_is_admin", "An admin."),
    policy.RuleDefault(
        "admin_or_owner",
        "rule:admin or project_id:%(tenant)s",
        "An admin, or anybody of the project.",
    ),
    policy.RuleDefault(
        "reader",
        "rule:admin or ((role:reader or role:member) and project_id:%(tenant)s)",
        "Who may look.",
    ),
    policy.RuleDefault(
        "member",
        "rule:admin or (role:member and project_id:%(tenant)s)",
        "Who may change things of the project.",
    ),
    policy.RuleDefault("default", "rule:admin", "Whatever has no rule of its own."),
)


def of(table: Table) -> list[policy.RuleDefault]:
    """The base rules, and one for each name in the declarations."""
    places: dict[str, list[policy.Operation]] = {}
    checks: dict[str, str] = {}
    said: dict[str, str] = {}
    for route in table.routes:
        for rule, who in rules_of(route.op):
            places.setdefault(rule, []).append(
                {"path": f"/v1.0/{{tenant}}/{route.path}", "method": route.op.method}
            )
            if checks.setdefault(rule, who) != who:
                raise ValueError(f"{rule} has two defaults")
            said.setdefault(rule, route.op.said or f"{rule}.")
    return [
        *BASE,
        *(
            policy.DocumentedRuleDefault(rule, checks[rule], said[rule], places[rule])
            for rule in sorted(places)
        ),
    ]


def rules_of(op: Op) -> list[tuple[str, str]]:
    """The rules that guard an op, and their defaults."""
    if not op.deeds:
        return [(op.rule, op.who)]
    return [(action.rule, action.who) for deed in op.deeds.values() for action in deed]


def list_rules() -> list[policy.RuleDefault]:
    """For oslopolicy-sample-generator and its siblings."""
    return of(TABLE)


def enforcer(conf: cfg.ConfigOpts | None = None) -> policy.Enforcer:
    """For oslopolicy-checker (which hands over no conf), and for ``Policy``."""
    if conf is None:
        conf = cfg.CONF
        conf([], project="trove")
    made = policy.Enforcer(conf)
    made.register_defaults(list_rules())
    return made


REMEMBERED = 5.0
"""Seconds for which a decision is remembered: a changed policy file counts as soon."""
MOST = 4096
"""How many decisions are remembered; then all are forgotten."""

Question = tuple[typing.Hashable, ...]


class Policy:
    """The rules in force.

    A decision follows from the rules and what is asked alone, and to come to it costs
    oslo.policy a look at its files and at the signature of every check on the way.
    """

    def __init__(
        self,
        enforcer: policy.Enforcer,
        clock: typing.Callable[[], float] = time.monotonic,
    ) -> None:
        self._enforcer, self._clock = enforcer, clock
        self._decided: dict[Question, bool] = {}
        self._until = 0.0

    def is_admin(self, context: Context) -> bool:
        """Whether these roles make an admin."""
        return self._allows("context_is_admin", context, context.project or "")

    def authorize(self, context: Context, rule: str, tenant: str) -> None:
        """Raises ``errors.Forbidden``."""
        if not self._allows(rule, context, tenant):
            raise errors.Forbidden(what=rule)

    def _allows(self, rule: str, context: Context, tenant: str) -> bool:
        roles = tuple(context.roles)
        asked = (rule, tenant, context.project, context.user, context.is_admin, roles)
        if self._clock() >= self._until or len(self._decided) >= MOST:
            # a new dict: another thread may be about to write into the old one
            self._decided, self._until = {}, self._clock() + REMEMBERED
        decided = self._decided
        if asked not in decided:
            decided[asked] = self._decide(rule, context, tenant)
        return decided[asked]

    def _decide(self, rule: str, context: Context, tenant: str) -> bool:
        caller = {
            "roles": list(context.roles),
            "user_id": context.user,
            "project_id": context.project,
            "is_admin": context.is_admin,
        }
        target = {"tenant": tenant, "project_id": tenant}
        return bool(self._enforcer.enforce(rule, target, caller))
