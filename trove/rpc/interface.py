# SPDX-License-Identifier: Apache-2.0
"""The kit of an RPC boundary: declared once, both ends are made from the declaration.

An ``Interface`` names its methods with ``cast`` (no answer) and ``call`` (an answer,
within a time-out). ``Proxy`` is the caller's end; ``Interface.serve`` checks a manager
against the declaration at start-up and wraps it into what oslo.messaging serves::

    guest = Proxy(Guest, transport, context, server=instance.id)
    guest.prepare(job, plan)

    Conductor.serve(Manager(...))       # TypeError if a signature differs

Arguments and answers go through ``rpc/codec.py`` at both ends. An error that a manager
raises arrives at the caller as the same error, if it is in ``CARRIED``; it travels as
data (a name looked up there, and a sentence), so that no message names a class.
"""

import collections
import dataclasses
import functools
import inspect
import logging
import re
import types
import typing

from trove import context as contexts
from trove import errors
from trove.rpc import codec, messages

LOG = logging.getLogger(__name__)

CARRIED: dict[str, type[errors.TroveError]] = {
    kind.__name__: kind
    for kind in (
        errors.Clash,
        errors.Conflict,
        errors.EngineFailed,
        errors.Forbidden,
        errors.Internal,
        errors.Invalid,
        errors.NotFound,
        errors.NotSupported,
        errors.OverLimit,
        errors.RateLimited,
        errors.Unavailable,
        errors.Unsupported,
        errors.Upstream,
    )
}
"""The errors that cross the wire; another travels as the nearest one it is a kind of.

Not among them are those that steer our own machinery (``LeaseLost``): a guest must not
be able to raise them in the control plane.
"""

SIGNATURE = "signature"
"""Where a message's context holds what its sender signed, if that is asked for."""

Check = typing.Callable[[str, dict[str, typing.Any], object], None]
"""``rpc.signing.Verifier.check``."""


class Signer(typing.Protocol):
    """``rpc.signing.Signer``, which not every process needs to load."""

    def sign(
        self, guest: str, method: str, arguments: dict[str, typing.Any]
    ) -> str: ...


MONITORED = 10
"""While a call runs, its server shows signs of life at least this often, in seconds.

Asked for on every call: oslo.messaging cannot do with an unasked one.
"""

_NAME = re.compile(r"[0-9A-Za-z_-]{1,64}")
_REQUEST_ID = re.compile(r"req-[0-9a-f-]{36}")

Send = typing.Callable[..., typing.Any]


@dataclasses.dataclass(frozen=True)
class Method:
    """One remote method: since which version, whether it answers, how long to wait."""

    name: str
    parameters: tuple[inspect.Parameter, ...]
    kinds: dict[str, typing.Any]
    answer: typing.Any
    since: str
    reply: bool
    timeout: float | None

    def bind(self, *args: typing.Any, **kwargs: typing.Any) -> dict[str, typing.Any]:
        """The arguments by name, encoded."""
        bound = inspect.Signature(list(self.parameters)).bind(*args, **kwargs)
        bound.apply_defaults()
        return {name: codec.encode(value) for name, value in bound.arguments.items()}

    def read(self, arguments: dict[str, typing.Any]) -> dict[str, typing.Any]:
        """The arguments that came, decoded; those nobody declared are dropped."""
        values = {}
        for parameter in self.parameters:
            name = parameter.name
            if name in arguments:
                values[name] = codec.decode(self.kinds[name], arguments[name], name)
            elif parameter.default is inspect.Parameter.empty:
                raise errors.Invalid(why=f"{name} is missing")
            else:
                values[name] = parameter.default
        return values


def _declare(
    function: typing.Callable[..., typing.Any],
    since: str,
    reply: bool,
    timeout: float | None,
) -> Method:
    parameters = list(inspect.signature(function).parameters.values())[1:]
    kinds = typing.get_type_hints(function)
    answer = kinds.pop("return", type(None))
    for parameter in parameters:
        if parameter.kind is not inspect.Parameter.POSITIONAL_OR_KEYWORD:
            raise TypeError(
                f"{function.__qualname__}: {parameter} is no plain argument"
            )
    for kind in (*(kinds[parameter.name] for parameter in parameters), answer):
        codec.check(kind)
    if not reply and answer is not type(None):
        raise TypeError(f"{function.__qualname__} is a cast: it cannot answer")
    return Method(
        function.__name__, tuple(parameters), kinds, answer, since, reply, timeout
    )


def cast(since: str) -> typing.Callable[[typing.Callable[..., None]], Method]:
    """Declare a method that answers nothing: sent, and acted upon once it is read."""
    return functools.partial(_declare, since=since, reply=False, timeout=None)


def call(
    since: str, timeout: float
) -> typing.Callable[[typing.Callable[..., typing.Any]], Method]:
    """Declare a method that answers within ``timeout`` seconds."""
    return functools.partial(_declare, since=since, reply=True, timeout=timeout)


class Interface:
    """A boundary: its topic, its version, its methods."""

    topic: typing.ClassVar[str]
    version: typing.ClassVar[str]
    own_topic: typing.ClassVar[bool] = False
    """Each server of it has a topic of its own, ``<topic>.<server>``."""
    from_guests: typing.ClassVar[bool] = False
    """Guests are its callers: small messages, and no word of theirs about who they are
    is believed."""

    @classmethod
    def methods(cls) -> dict[str, Method]:
        """Every declared method, by name."""
        return {
            name: method for name, method in vars(cls).items() if _is_method(method)
        }

    @classmethod
    def address(cls, server: str | None) -> str:
        """The topic to send to, or to serve."""
        if not cls.own_topic:
            return cls.topic
        if server is None or not _NAME.fullmatch(server):
            raise TypeError(f"{cls.__name__} needs the name of one server")
        return f"{cls.topic}.{server}"

    @classmethod
    def serve(cls, manager: object, check: Check | None = None) -> "Endpoint":
        """What oslo.messaging serves for ``manager``; ``TypeError`` if it differs.

        ``check`` sees each message's method, arguments and signature, and raises
        ``errors.Forbidden``.
        """
        for name, method in cls.methods().items():
            theirs = inspect.signature(getattr(manager, name)).parameters
            wanted = ["context", *(parameter.name for parameter in method.parameters)]
            if list(theirs) != wanted:
                raise TypeError(
                    f"{type(manager).__name__}.{name} takes {list(theirs)}, "
                    f"and {cls.__name__} declares {wanted}"
                )
        return Endpoint(cls, manager, check)


def _is_method(thing: object) -> typing.TypeGuard[Method]:
    return isinstance(thing, Method)


class Endpoint:
    """A manager behind its interface: reads messages, and answers them."""

    def __init__(
        self,
        interface: type[Interface],
        manager: object,
        check: Check | None = None,
    ) -> None:
        import oslo_messaging  # heavy; a declaration must be cheap to import

        self.target = oslo_messaging.Target(version=interface.version)
        self.dropped: collections.Counter[str] = collections.Counter()
        """Messages that were refused, by method: malformed, or too large."""
        self._interface, self._check = interface, check
        for method in interface.methods().values():
            setattr(self, method.name, self._served(method, manager))

    def _served(self, method: Method, manager: object) -> Send:
        act = getattr(manager, method.name)

        # The names a message may hold are its sender's choice, so ours is no keyword.
        def served(told: dict[str, typing.Any], /, **arguments: typing.Any) -> object:
            try:
                answer = self._act(method, act, told, arguments)
            except errors.TroveError as error:
                if method.reply:
                    return _refusal(error)
                LOG.warning("%s ended with an error: %s", method.name, error)
                return None
            return {"answer": answer} if method.reply else None

        served.exposed = True  # type: ignore[attr-defined]  # ExplicitRPCAccessPolicy
        return served

    def _act(
        self,
        method: Method,
        act: Send,
        told: dict[str, typing.Any],
        arguments: dict[str, typing.Any],
    ) -> object:
        from_guests = self._interface.from_guests
        try:
            codec.weigh(arguments, codec.FROM_GUEST if from_guests else codec.TO_GUEST)
            if self._check is not None:
                self._check(method.name, arguments, told.get(SIGNATURE))
            values = method.read(arguments)
            context = _context(told, from_guests)
        except (errors.Invalid, errors.Forbidden):
            self.dropped[method.name] += 1
            raise
        answer = codec.encode(act(context, **values))
        codec.weigh(answer, codec.TO_GUEST if from_guests else codec.FROM_GUEST)
        return answer


def _context(told: dict[str, typing.Any], from_guests: bool) -> contexts.Context:
    """Who asks. What the driver says of the sender counts, whatever the sender says."""
    request_id = told.get("request_id")
    if not isinstance(request_id, str) or not _REQUEST_ID.fullmatch(request_id):
        request_id = contexts.new_request_id()
    broker_user = told.get("broker_user")
    if from_guests:
        return contexts.Context(request_id=request_id, broker_user=broker_user)
    told = {
        key: value
        for key, value in told.items()
        if value is not None and key != SIGNATURE
    }
    asked = codec.decode(contexts.Context, told | {"request_id": request_id}, "context")
    return typing.cast(contexts.Context, asked)


def _refusal(error: errors.TroveError) -> dict[str, typing.Any]:
    names = [kind.__name__ for kind in type(error).__mro__]
    name = next((name for name in names if name in CARRIED), errors.Internal.__name__)
    return {"error": name, "message": error.message[: messages.TEXT]}


class Proxy:
    """The caller's end of an interface: its methods, sent to one server or to any.

    ``retry`` is how often a send is tried while the broker does not answer: a caller
    is told (``errors.Unavailable``) rather than kept. A message that no queue takes
    is told too, as is a call that nobody answers. ``errors.Forbidden``: the broker is
    there and does not let us in.
    """

    def __init__(
        self,
        interface: type[Interface],
        transport: typing.Any,
        context: contexts.Context,
        server: str | None = None,
        retry: int = 1,
        signer: Signer | None = None,
    ) -> None:
        import oslo_messaging

        self._interface = interface
        self._methods = types.MappingProxyType(interface.methods())
        self._context = context
        self._server, self._signer = server, signer
        target = oslo_messaging.Target(topic=interface.address(server), server=server)
        self._client = oslo_messaging.get_rpc_client(
            transport,
            target,
            version_cap=interface.version,
            retry=retry,
            transport_options=oslo_messaging.TransportOptions(at_least_once=True),
        )

    def __getattr__(self, name: str) -> Send:
        if name not in self._methods:
            raise AttributeError(f"{self._interface.__name__} has no method {name}")
        return functools.partial(self._send, self._methods[name])

    def _send(
        self, method: Method, *args: typing.Any, **kwargs: typing.Any
    ) -> typing.Any:
        import kombu.exceptions
        import oslo_messaging

        arguments = method.bind(*args, **kwargs)
        codec.weigh(
            arguments,
            codec.FROM_GUEST if self._interface.from_guests else codec.TO_GUEST,
        )
        client = self._prepare(method)
        act = client.call if method.reply else client.cast
        told = self._context.to_dict()
        if self._signer is not None and self._server is not None:
            told[SIGNATURE] = self._signer.sign(self._server, method.name, arguments)
        try:
            reply = act(told, method.name, **arguments)
        except oslo_messaging.RemoteError as error:
            # Only what went wrong unforeseen; its text is for the log of its own side.
            raise errors.Internal(why=f"{method.name} failed remotely") from error
        except (
            oslo_messaging.MessagingException,
            oslo_messaging.MessageUndeliverable,
            kombu.exceptions.KombuError,
        ) as error:
            LOG.info("%s to %s: %s", method.name, client.target, error)
            raise self._silent() from error
        return self._read(method, reply) if method.reply else None

    def _prepare(self, method: Method) -> typing.Any:
        return self._client.prepare(
            version=method.since,
            timeout=method.timeout,
            call_monitor_timeout=MONITORED if method.reply else None,
        )

    def _silent(self) -> errors.Unavailable:
        if self._interface.own_topic:
            return errors.GuestSilent(instance=self._server)
        return errors.Unanswered(what=self._interface.topic)

    def _read(self, method: Method, reply: object) -> typing.Any:
        codec.weigh(
            reply,
            codec.TO_GUEST if self._interface.from_guests else codec.FROM_GUEST,
        )
        if not isinstance(reply, dict) or not {"answer", "error"} & set(reply):
            raise errors.Invalid(why="the answer is not one")
        if "error" not in reply:
            return codec.decode(method.answer, reply["answer"], "answer")
        name = codec.decode(str, reply["error"], "error")
        sentence = codec.decode(str, reply.get("message"), "message")
        raise CARRIED.get(name, errors.Internal)(sentence)
