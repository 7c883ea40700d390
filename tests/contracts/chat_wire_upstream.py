"""What the suite of wire formats needs to know of the server that an adapter talks to."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, Literal, Protocol

from attrs import field, frozen

from tollkeeper.domain.completions import Completion, FinishReason, TokenUsage
from tollkeeper.domain.errors import TollkeeperError
from tollkeeper.domain.secret import Secret
from tollkeeper.ports.chat_model import ChatModel

Kind = Literal[
    "context_overflow",
    "content_filter",
    "unknown_model",
    "quota",
    "invalid_key",
    "no_key",
    "overloaded",
    "rate_limit",
    "request_too_large",
]
Scenario = Literal[
    "answered",
    "every_byte",
    "one_packet",
    "crlf",
    "comments",
    "steady",
    "gzipped",
    "not_gzip",
    "slow_headers",
    "usage_everywhere",
    "unknown_reason",
    "no_reason",
    "breaks",
    "at_once",
    "invalid_json",
    "invalid_utf8",
    "html",
    "redirect",
    "status",
    "failing",
    "bare_error",
    "error_inside",
]
USAGE = TokenUsage(input=9, output=7, cached_input=2)


@frozen
class SpokenCall:
    """A call of a tool; *arguments* are the fragments that a stream sends one by one."""

    id: str
    name: str
    arguments: tuple[str, ...] = ("{}",)
    signature: str = ""

    @property
    def whole(self) -> str:
        """The arguments in one piece."""
        return "".join(self.arguments)


@frozen
class Spoken:
    """What the model says, apart from how a format writes it.

    A piece of *text* or *reasoning* is one event of a stream. A format that lacks a field for
    something leaves it out; :meth:`Upstream.heard` says what then is left.
    """

    text: tuple[str, ...] = ()
    reasoning: tuple[str, ...] = ()
    signature: str = ""
    redacted: str = ""
    calls: tuple[SpokenCall, ...] = ()
    refusal: str = ""
    finish: FinishReason = FinishReason.STOP
    usage: TokenUsage | None = USAGE
    logprobs: tuple[tuple[str, float], ...] | None = None
    model: str = "echo-2001"

    @property
    def whole_text(self) -> str:
        """The text in one piece."""
        return "".join(self.text)


@frozen
class Failure:
    """What an error of the provider is in the domain.

    *provider_codes* are the words of its body that may be given as the ``provider_code``; without
    any, the body has none. *retry_after* is what the body itself says of it.
    """

    status: int
    error: type[TollkeeperError]
    code: str
    provider_codes: frozenset[str]
    retry_after: timedelta | None = None


@frozen
class Sent:
    """A request as the server read it: the suite knows nothing of how formats write it."""

    model: str
    streamed: bool
    key: str = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    text: str
    """The last message, parts other than text in brackets."""
    bound: int
    tools: Sequence[str]
    tool_choice: str
    parallel: bool
    schema: Mapping[str, Any] | None
    stops: Sequence[str]


class Upstream(Protocol):
    """A server on loopback that speaks a provider's format, and does what a test asks for.

    A model that is not played, named :attr:`echo`, says the last text again, word by word; it
    calls the tools that are named in the text, fills a schema, and keeps to the bound, the stops
    and the choice of tools.
    """

    @property
    def provider(self) -> str:
        """The provider's name, as credentials are bound to it."""

    @property
    def base_url(self) -> str:
        """What an adapter is configured with."""

    @property
    def echo(self) -> str:
        """The name of the model that says the last text again."""

    @property
    def secret_words(self) -> str:
        """What every error of the server says, and no caller may see."""

    @property
    def statuses(self) -> Sequence[int]:
        """The statuses of errors that the provider documents."""

    @property
    def kinds(self) -> Sequence[Kind]:
        """The kinds of failure that the provider tells apart."""

    @property
    def signs_calls(self) -> bool:
        """Whether the model named by :meth:`strict` insists on the signatures of its calls."""

    def strict(self) -> str:
        """Name an echo that refuses requests which lack a signature that it gave."""

    def play(self, scenario: Scenario, spoken: Spoken | None = None, **how: Any) -> str:
        """Let a new model behave as *scenario* says, and return its name.

        Without *spoken* it works on the echo. ``every_byte``, ``one_packet``, ``gzipped`` and
        ``not_gzip`` (which says gzip and is none) say how the bytes come; ``crlf`` ends lines so;
        ``comments`` puts a comment before each event; ``steady`` waits ``gap`` seconds before
        each; ``slow_headers`` waits ``seconds`` before the head. ``usage_everywhere`` reports the
        usage so far with each event that can carry it. ``unknown_reason`` gives a reason that
        nobody knows, ``no_reason`` none. ``breaks`` ends as ``ending`` says (``cut``, ``reset``,
        ``stall``, or ``whole``: cleanly) after ``k`` events, or in the middle of a whole answer;
        ``at_once`` before the head. ``invalid_json`` comes after ``k`` events, ``error_inside``
        (of ``kind``) too, or in a whole body with status 200. ``html`` is a page with ``status``;
        ``redirect`` points to another path. ``status`` is the documented error of ``number``,
        ``failing`` that of ``kind``; with ``wait`` they have a Retry-After in ``seconds`` (7),
        as a ``date`` (in a minute), in ``ms`` (1.5 s) or ``nonsense``. ``bare_error`` has
        ``status`` and a ``body`` that is not the provider's.
        """

    def heard(self, spoken: Spoken) -> Completion:
        """Return what an adapter can know of *spoken*: text, calls, reason, usage, thoughts."""

    def events(self, spoken: Spoken) -> int:
        """Count the events of a stream that says *spoken*, the terminal one included."""

    def text_within(self, spoken: Spoken, k: int) -> str:
        """Return the text in the first *k* events of that stream; its pieces are all different."""

    def failure(self, *, status: int | None = None, kind: Kind | None = None) -> Failure:
        """Say what the documented error for *status* or *kind* is."""

    @property
    def last(self) -> Sent:
        """The request that came last."""

    @property
    def sent(self) -> Sequence[Sent]:
        """All requests of this test, the oldest first."""

    @property
    def count(self) -> int:
        """How many requests came in this test, whatever they asked for."""

    async def left(self, model: str) -> bool:
        """Wait until the server is done with the request to *model*: had the client left?"""


class Connect(Protocol):
    """Makes adapters of the upstream; nothing is opened."""

    def __call__(
        self,
        *,
        api_key: Secret | None,
        base_url: str | None = None,
        patience: timedelta | None = None,
    ) -> ChatModel:
        """Make one that goes to *base_url*, by default the upstream's.

        *patience* is how long a stream may stay silent and how long a whole answer may take.
        """
