"""Servers that play a script, and keep a bill of what each request really cost."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from enum import StrEnum

from attrs import define, field, frozen

from tollkeeper import Completion, Delta, FinishReason, TokenUsage
from tollkeeper.domain.chat import ChatRequest
from tollkeeper.domain.credentials import Credential
from tollkeeper.domain.errors import CredentialsRefused, PortError

PRICES = {"a": (1_000, 2_000), "b": (3_000, 5_000), "c": (11_000, 13_000)}
"""Nano-dollars a token read and written, by provider."""


USAGE = TokenUsage(input=7, output=3)


def cost_of(model: str, usage: TokenUsage) -> int:
    """Price *usage* in nano-dollars."""
    read, written = PRICES[model.partition("/")[0]]
    return read * usage.input + written * (usage.output + usage.reasoning)


class Kind(StrEnum):
    """What becomes of a request."""

    ANSWER = "answer"
    FAIL = "fail"
    STALL = "stall"


@frozen
class Fate:
    """After *delay* seconds comes each of *pieces*, with *gap* seconds between, and then the end.

    Whole answers come after all of it. *usage* is what the provider bills (None: nothing), and it
    is *reported* before the end. What fails raises what *error* makes; what stalls waits for ever.
    """

    kind: Kind = Kind.ANSWER
    delay: float = 0.0
    pieces: int = 2
    gap: float = 0.0
    usage: TokenUsage | None = USAGE
    reported: bool = True
    billed_for_words: bool = False
    """Whether it is billed for what it said alone: a refusal before the first word is free."""
    error: Callable[[], Exception] | None = field(
        default=None, repr=lambda make: repr(make and make())
    )


class End(StrEnum):
    """How a request ended, as the server saw it."""

    RUNNING = "running"
    ANSWERED = "answered"
    FAILED = "failed"
    LEFT = "left"


@define(eq=False)
class Served:
    """One request that came, and what it said and cost."""

    account: str
    model: str
    credential: str
    fate: Fate
    begun_at: float
    number: int
    streamed: bool
    end: End = End.RUNNING
    ended_at: float = 0.0
    error: Exception | None = None
    said: list[str] = field(factory=list)
    reported: bool = False
    """Whether its usage went out to the client."""

    @property
    def usage(self) -> TokenUsage | None:
        """What the provider bills; None if nothing."""
        free = self.fate.billed_for_words and not self.streamed
        return None if free else self.fate.usage

    @property
    def cost(self) -> int:
        """What the provider bills for it, in nano-dollars."""
        return 0 if self.usage is None else cost_of(self.model, self.usage)


def _refusal() -> PortError:
    return CredentialsRefused("it is no key", port="chat_model", adapter="scripted", status=401)


def _now() -> float:
    return asyncio.get_running_loop().time()


@define(eq=False)
class Servers:
    """All providers: the fates of each model's requests, in order, and what came."""

    fates: dict[str, list[Fate]] = field(factory=dict)
    refused_keys: frozenset[str] = frozenset()
    """The labels of the keys that they refuse, whatever the script says."""
    served: list[Served] = field(factory=list)
    on_arrival: Callable[[Served], None] = field(default=lambda served: None)
    most_at_once: dict[str, int] = field(factory=dict)
    _running: dict[str, int] = field(factory=dict)

    def of(self, account: str) -> list[Served]:
        """Return what *account* asked, in order."""
        return [each for each in self.served if each.account == account]

    def begin(
        self, provider: str, request: ChatRequest, credential: Credential | None, streamed: bool
    ) -> Served:
        """Take a request in; its text names the account."""
        model = f"{provider}/{request.model}"
        coming = self.fates.get(model, [])
        label = "" if credential is None else credential.label
        if label in self.refused_keys:
            coming = [Fate(Kind.FAIL, pieces=0, usage=None, error=_refusal)]
        served = Served(
            account=request.messages[0].text,
            model=model,
            credential=label,
            fate=coming.pop(0) if coming else Fate(),
            begun_at=_now(),
            number=len(self.served),
            streamed=streamed,
        )
        self.served.append(served)
        self._running[provider] = self._running.get(provider, 0) + 1
        self.most_at_once[provider] = max(
            self._running[provider], self.most_at_once.get(provider, 0)
        )
        self.on_arrival(served)
        return served

    def over(self, served: Served, end: End, error: Exception | None = None) -> None:
        """Note how a request ended."""
        served.end, served.ended_at, served.error = end, _now(), error
        self._running[served.model.partition("/")[0]] -= 1


@frozen(eq=False)
class ScriptedModel:
    """One provider's door to the *servers*."""

    provider: str
    servers: Servers
    base_url: str = "https://scripted.example"

    async def complete(
        self, request: ChatRequest, *, credential: Credential | None = None
    ) -> Completion:
        served = self.servers.begin(self.provider, request, credential, streamed=False)
        fate = served.fate
        try:
            await asyncio.sleep(fate.delay + fate.gap * fate.pieces)
            if fate.kind is Kind.STALL:
                await asyncio.get_running_loop().create_future()
        except BaseException:
            self.servers.over(served, End.LEFT)
            raise
        if fate.error is not None:
            error = fate.error()
            if served.usage is not None and fate.reported and isinstance(error, PortError):
                error.partial = Completion(usage=served.usage)
                served.reported = True
            self.servers.over(served, End.FAILED, error)
            raise error
        served.said.extend(_pieces(served))
        served.reported = fate.usage is not None and fate.reported
        self.servers.over(served, End.ANSWERED)
        return Completion(
            text="".join(served.said),
            finish_reason=FinishReason.STOP,
            usage=fate.usage if fate.reported else None,
            model=request.model,
        )

    async def stream(
        self, request: ChatRequest, *, credential: Credential | None = None
    ) -> AsyncIterator[Delta]:
        served = self.servers.begin(self.provider, request, credential, streamed=True)
        fate = served.fate
        usage = fate.usage if fate.reported else None
        try:
            await asyncio.sleep(fate.delay)
            for piece in _pieces(served):
                served.said.append(piece)
                yield Delta(text=piece)
                await asyncio.sleep(fate.gap)
            if usage is not None and fate.kind is not Kind.ANSWER:
                served.reported = True
                yield Delta(usage=usage)
            if fate.kind is Kind.STALL:
                await asyncio.get_running_loop().create_future()
        except BaseException:
            self.servers.over(served, End.LEFT)
            raise
        if fate.error is not None:
            error = fate.error()
            self.servers.over(served, End.FAILED, error)
            raise error
        try:
            yield Delta(finish_reason=FinishReason.STOP)
            if usage is not None:
                served.reported = True
                yield Delta(usage=usage)
        except BaseException:
            self.servers.over(served, End.LEFT)
            raise
        self.servers.over(served, End.ANSWERED)


def _pieces(served: Served) -> Iterator[str]:
    for place in range(served.fate.pieces):
        yield f"<{served.number}.{place}>"
