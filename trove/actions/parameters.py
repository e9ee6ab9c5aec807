# SPDX-License-Identifier: Apache-2.0
"""The parameters of a datastore version, and the rules that an administrator keeps.

A rule comes from the engine itself, by a file that is loaded for a version, or, where
nobody loaded one, from what the datastore's plug-in declares. An administrator may have
it narrower than that, never wider; and nobody goes beyond the plug-in's policy: what an
engine would load, run or open is not in it, and the guest checks by it again.
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
from trove.db.tables import DatastoreVersion

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
        _, version = datastores.version_by_id(tx, version_id, inactive=True)
        if name in configurations.rules(tx, version_id):
            raise errors.Invalid(f"Parameter {name} exists already.")
        checked = _within(tx, version, name, rule)
        configurations.put_rule(tx, version_id, name, checked)
        return checked

    made = services.database.run(work)
    LOG.info("user %s made the parameter %s of %s", context.user, name, version_id)
    return made


def change(
    services: Services, context: Context, version_id: str, name: str, rule: Rule
) -> Rule:
    """Another rule for it."""

    def work(tx: orm.Session) -> Rule:
        _, version = datastores.version_by_id(tx, version_id, inactive=True)
        configurations.parameter(tx, version_id, name)
        checked = _within(tx, version, name, rule)
        configurations.put_rule(tx, version_id, name, checked)
        return checked

    made = services.database.run(work)
    LOG.info("user %s changed the parameter %s of %s", context.user, name, version_id)
    return made


def delete(services: Services, context: Context, version_id: str, name: str) -> None:
    """No group can name it from now on; those that do, keep it."""

    def work(tx: orm.Session) -> None:
        datastores.version_by_id(tx, version_id, inactive=True)
        configurations.parameter(tx, version_id, name)
        configurations.take_out(tx, version_id, name)

    services.database.run(work)
    LOG.info("user %s deleted the parameter %s of %s", context.user, name, version_id)


def load(tx: orm.Session, version_id: str, rules: Rules) -> int:
    """These rules, an engine's own, and no others; how many.

    Each is within the policy, or none is loaded. From now on they are what
    administrators may narrow.
    """
    _, version = datastores.version_by_id(tx, version_id, inactive=True)
    policy = registry.get(version.manager).policy
    checked = {}
    for name, rule in rules.items():
        if name not in policy:
            raise _no_parameter(version.manager, name)
        checked[name] = policy[name].keep(name, rule)
    configurations.load_rules(tx, version_id, checked, loaded=True)
    return len(checked)


def reset(tx: orm.Session, version_id: str, manager: str) -> int:
    """The rules that were loaded, or the plug-in's declared ones; how many.

    What administrators made of them since is gone.
    """
    loaded = configurations.loaded(tx, version_id)
    if loaded:
        configurations.load_rules(tx, version_id, loaded, loaded=True)
        return len(loaded)
    return declare(tx, version_id, manager)


def declare(tx: orm.Session, version_id: str, manager: str) -> int:
    """The plug-in's declared rules and no others, whatever was loaded; how many."""
    rules = registry.get(manager).parameters
    configurations.load_rules(tx, version_id, rules)
    return len(rules)


def seed(tx: orm.Session, version_id: str, manager: str) -> None:
    """The plug-in's declared rules, for a version that has none."""
    if not configurations.rules(tx, version_id):
        declare(tx, version_id, manager)


def _within(tx: orm.Session, version: DatastoreVersion, name: str, rule: Rule) -> Rule:
    """The rule, with what it leaves open as the engine has it."""
    manager = version.manager
    loaded = configurations.loaded(tx, version.id)
    own = (loaded or registry.get(manager).parameters).get(name)
    if own is None:
        raise _no_parameter(manager, name)
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


def _no_parameter(manager: str, name: str) -> errors.Invalid:
    return errors.Invalid(f"The datastore manager {manager} has no parameter {name}.")
