# SPDX-License-Identifier: Apache-2.0
"""The parameters of a datastore version, and the rules that an administrator keeps.

A rule may be narrower than what the datastore's plug-in allows, never wider: what an
engine would load, run or open is in no plug-in's list, and the guest checks by that
list again.
"""

import logging
import typing

from sqlalchemy import orm

from trove import errors
from trove.actions.services import Services
from trove.context import Context
from trove.datastores import registry
from trove.db.queries import configurations, datastores
from trove.db.queries.configurations import Rule
from trove.db.tables import Parameter

LOG = logging.getLogger(__name__)

Rules = dict[str, Rule]


def of_version(services: Services, version_id: str, inactive: bool) -> Rules:
    """By name; an unknown version is ``DatastoreVersionNotFound``."""
    with services.database.reading() as tx:
        datastores.version_by_id(tx, version_id, inactive=inactive)
        return configurations.rules(tx, version_id)


def one(services: Services, version_id: str, name: str, inactive: bool) -> Rule:
    """By name, whatever the case of its letters."""
    found = of_version(services, version_id, inactive)
    for known, rule in found.items():
        if known.lower() == name.lower():
            return rule
    raise errors.ParameterNotFound(name=name)


def create(
    services: Services, context: Context, version_id: str, name: str, rule: Rule
) -> Rule:
    """One more; ``rule``: type, restart_required, min and max where there are any."""

    def work(tx: orm.Session) -> Rule:
        checked = _within(tx, version_id, name, rule)
        if tx.get(Parameter, (version_id, name)) is not None:
            raise errors.Invalid(f"Parameter {name} exists already.")
        tx.add(Parameter(version_id=version_id, name=name, rule=checked))
        return checked

    made = services.database.run(work)
    LOG.info("user %s made the parameter %s of %s", context.user, name, version_id)
    return made


def change(
    services: Services, context: Context, version_id: str, name: str, rule: Rule
) -> Rule:
    """Another rule for it."""

    def work(tx: orm.Session) -> Rule:
        datastores.version_by_id(tx, version_id, inactive=True)
        row = configurations.parameter(tx, version_id, name)
        row.rule = _within(tx, version_id, name, rule)
        return row.rule

    made = services.database.run(work)
    LOG.info("user %s changed the parameter %s of %s", context.user, name, version_id)
    return made


def delete(services: Services, context: Context, version_id: str, name: str) -> None:
    """No group can name it from now on; those that do, keep it."""

    def work(tx: orm.Session) -> None:
        datastores.version_by_id(tx, version_id, inactive=True)
        tx.delete(configurations.parameter(tx, version_id, name))

    services.database.run(work)
    LOG.info("user %s deleted the parameter %s of %s", context.user, name, version_id)


def load(tx: orm.Session, version_id: str, rules: Rules) -> int:
    """These rules and no others, each within what the plug-in allows; how many."""
    checked = {n: _within(tx, version_id, n, rule) for n, rule in rules.items()}
    configurations.load_rules(tx, version_id, checked)
    return len(checked)


def reset(tx: orm.Session, version_id: str, manager: str) -> int:
    """The plug-in's own rules and no others; how many."""
    rules = registry.get(manager).parameters
    configurations.load_rules(tx, version_id, rules)
    return len(rules)


def seed(tx: orm.Session, version_id: str, manager: str) -> None:
    """The plug-in's own rules, for a version that has none."""
    if not configurations.rules(tx, version_id):
        reset(tx, version_id, manager)


def _within(tx: orm.Session, version_id: str, name: str, rule: Rule) -> Rule:
    """The rule, with what it leaves open as the plug-in has it."""
    _, version = datastores.version_by_id(tx, version_id, inactive=True)
    own: Rule | None = registry.get(version.manager).parameters.get(name)
    if own is None:
        raise errors.Invalid(
            f"The datastore manager {version.manager} has no parameter {name}."
        )
    if rule["type"] != own["type"]:
        raise errors.Invalid(f"Parameter {name} is of type {own['type']}.")
    low, high = rule.get("min"), rule.get("max")
    if (low is not None and low < own.get("min", low)) or (
        high is not None and high > own.get("max", high)
    ):
        raise errors.Invalid(
            f"Parameter {name} can be from {own.get('min')} to {own.get('max')}."
        )
    if low is not None and high is not None and low > high:
        raise errors.Invalid(f"No value of {name} is from {low} to {high}.")
    given = {key: value for key, value in rule.items() if value is not None}
    return typing.cast(Rule, {**own, **given})
