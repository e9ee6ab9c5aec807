# SPDX-License-Identifier: Apache-2.0
"""Every error the service raises: a family, and a sentence with the facts.

The family says what the caller can do about it; only ``api/faults.py`` knows HTTP::

    TroveError
     +- Invalid        the request is wrong; change it
     +- Forbidden      not allowed for you
     +- NotFound       there is no such thing (or none of yours)
     +- Clash          it is there already, or is another's
     +- Conflict       the thing is not in a state that allows this
     +- OverLimit      more than the quota or the rate allows
     +- Unsupported    this datastore or cloud cannot do that
     +- Unavailable    a guest or service did not answer in time; try again
     +- Upstream       the cloud failed
     +- Internal       a promise of our own code was broken

Raise the named error with its facts: ``raise InstanceBusy(instance=id, task=task)``.
"""


class TroveError(Exception):
    """Something this service has a sentence for."""

    sentence = "The service failed."

    def __init__(self, message: str | None = None, **facts: object) -> None:
        self.facts = facts
        self.message = message if message is not None else self.sentence.format(**facts)
        super().__init__(self.message)


class Invalid(TroveError):
    """The request itself is wrong."""

    sentence = "The request is not valid: {why}"


class Forbidden(TroveError):
    """The caller may not do this."""

    sentence = "You are not allowed to do this: {what}."


class NotFound(TroveError):
    """There is no such thing, or none that the caller may see."""

    sentence = "{what} {id} cannot be found."


class Clash(TroveError):
    """A thing of that identity exists already."""

    sentence = "{what} {id} exists already."


class Conflict(TroveError):
    """The thing is not in a state that allows this."""

    sentence = "{what} is in a state that does not allow this."


class OverLimit(TroveError):
    """More than a quota or a rate limit allows."""

    sentence = "The limit of {resource} is reached."


class Unsupported(TroveError):
    """The datastore or the cloud cannot do this."""

    sentence = "{what} is not supported."


class Unavailable(TroveError):
    """Something that must answer did not, in time."""

    sentence = "{what} does not answer at the moment; try again later."


class Unanswered(Unavailable):
    """One of several equal servers took a question, or none did; another may answer."""


class Upstream(TroveError):
    """The cloud underneath failed."""

    sentence = "The cloud failed: {why}"


class Internal(TroveError):
    """A promise of our own code was broken."""

    sentence = "The service failed: {why}"


# -- named errors -----------------------------------------------------------------


class InstanceNotFound(NotFound):
    sentence = "Instance {id} cannot be found."


class DatastoreNotFound(NotFound):
    sentence = "Datastore '{id}' cannot be found."


class ConfigurationNotFound(NotFound):
    sentence = "Configuration group {id} cannot be found."


class ParameterNotFound(NotFound):
    sentence = "Parameter {name} cannot be found."


class ModuleNotFound(NotFound):
    sentence = "Module {id} cannot be found."


class ModuleApplied(Forbidden):
    sentence = "The module {name} is applied to an instance."


class DatastoreVersionNotFound(NotFound):
    sentence = "Datastore version '{id}' cannot be found."


class FlavorNotFound(NotFound):
    sentence = "Flavor {id} cannot be found."


class QuotaResourceUnknown(NotFound):
    sentence = "Quota resource {resource} is unknown."


class OperationNotFound(NotFound):
    sentence = "Operation {id} cannot be found."


class UserNotFound(NotFound):
    sentence = "User {user} cannot be found on the instance."


class DatabaseNotFound(NotFound):
    sentence = "Database {database} cannot be found on the instance."


class InstanceBusy(Conflict):
    sentence = "Instance {instance} is not ready. (Status is {task})."


class InstanceProtected(Conflict):
    sentence = (
        "Instance {instance} is protected: set its deletion_protection to false before "
        "it is deleted."
    )


class NotRecycled(NotFound):
    sentence = "Instance {id} is not in the recycle bin."


class NoFinalBackup(Conflict):
    """A delete that is not to be without its last backup."""

    sentence = (
        "Instance {instance} is not deleted, because its final backup cannot be made: "
        "{why} Delete it with final_backup=false to have none."
    )


class InstanceNotReady(Conflict):
    sentence = (
        "Instance {instance} is not currently available for an action to be "
        "performed (instance status was {status})."
    )


class ValueRefused(Conflict):
    """A value of a configuration group, by the rules or by the engine itself."""

    sentence = "{why}"


class CertificateRefused(Conflict):
    """A certificate that a user brought, by the engine that was to serve with it."""

    sentence = "{why}"


class IdempotencyMismatch(Clash):
    sentence = (
        "The Idempotency-Key was used before with another body; "
        "use a new key for a new request."
    )


class PasswordGone(Conflict):
    sentence = (
        "Root was enabled by the first request with this Idempotency-Key; its password "
        "was told once and is kept nowhere. Ask with another key for another password."
    )


class QuotaExceeded(OverLimit):
    sentence = "Quota exceeded for resources: {resources}."


class RateLimited(OverLimit):
    sentence = "This request was rate-limited."


class NotSupported(Unsupported):
    sentence = "Datastore {datastore} does not support {what}."


class BackupNotFound(NotFound):
    sentence = "Backup {id} cannot be found."


class BackupBusy(Conflict):
    """One that is made, taken away, or restored at this moment."""

    sentence = "Backup {id} cannot be deleted because {why}."


class BackupNotVerifiable(Conflict):
    """One that is not whole, or that is being verified, or cannot be here."""

    sentence = "Backup {id} cannot be verified: {why}"


class BackupNotComplete(Clash):
    """A restore of one that is not whole, or stands on one that is not."""

    sentence = "Backup {id} cannot be restored: {why}"


class BackupTooLarge(Forbidden):
    sentence = (
        "Backup {id} needs a volume of {needed} GiB at the least; {size} were asked "
        "for."
    )


class ClusterNotFound(NotFound):
    sentence = "Cluster {id} cannot be found."


class ClustersNotSupported(Unsupported):
    sentence = "Clusters not supported for {datastore}-{version}."


class GuestSilent(Unavailable):
    sentence = "The guest of instance {instance} does not answer; try again later."


class Underway(Unavailable):
    sentence = (
        "The first request with this Idempotency-Key is under way, or was cut off; "
        "send it again in a minute."
    )


class CommandFailed(Internal):
    """A program of a guest did not do its work."""

    sentence = "{program} failed ({code}): {why}"


class EngineFailed(Unavailable):
    """The database engine of a guest did not do what it must; it may do it later.

    ``why`` is for the log of its own side: a driver may repeat the statement in it.
    """

    sentence = "The database engine failed: {why}"


class LeaseLost(Internal):
    """Another worker owns the operation now: drop everything."""

    sentence = "Operation {operation} was taken over by another worker."
