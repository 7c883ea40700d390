"""The servers of the wire formats, as the suite in ``tests/contracts/chat_wire.py`` needs them."""

import contextlib
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any, cast

import attrs
from attrs import define, field

from tests.servers.http_player import Play, SeenRequest
from tests.servers.wire import FORMATS, SECRET_WORDS, Answer, Call, Pools, WireFormat, scenarios
from tests.servers.wire.scenarios import Scenario, Scene
from tests.servers.wire_server import WireServer, wire_server
from tests.wire import meanings
from tollkeeper.contracts import chat_wire_upstream as suite
from tollkeeper.contracts.chat_wire_upstream import Failure, Sent, Spoken, SpokenCall
from tollkeeper.domain import errors
from tollkeeper.domain.completions import Completion, FinishReason, TokenLogprob, TokenUsage
from tollkeeper.domain.messages import ReasoningPart, ToolCall

_WITH_USAGE = {"stream_options": {"include_usage": True}, "usage": {"include": True}}
_REASON = re.compile(rb'"((?:native_)?finish_reason|stop_reason|finishReason)": "[a-zA-Z_]+"')
_CODES = ("code", "type", "status", "reason")
_SIGNED = SpokenCall("call_a", "get_weather", signature="c2lnbmVk")


@define
class Servers:
    """One server for each format, started when it is first needed."""

    _stack: contextlib.ExitStack
    _started: dict[str, WireServer] = field(factory=dict)

    def __call__(self, name: str) -> WireServer:
        """Return the server of the format *name*, as if it were new."""
        if name not in self._started:
            self._started[name] = self._stack.enter_context(wire_server(FORMATS[name]))
        server = self._started[name]
        server.requests.clear()
        server.plays.clear()
        return server


@contextlib.contextmanager
def all_servers() -> Iterator[Servers]:
    """Give the servers until the block ends."""
    with contextlib.ExitStack() as stack:
        yield Servers(stack)


def _paced(
    change: Callable[[list[bytes]], Sequence[bytes | float]], spoken: Answer | None
) -> Scenario:
    """Answer well, but send the events of a stream as *change* says."""

    def play(scene: Scene) -> Play:
        if not scene.streamed:
            return scenarios.body_play(scene.whole(spoken))
        return scenarios.stream(*change(scene.events(spoken)))

    return play


def _rewritten(change: Callable[[bytes], bytes], spoken: Answer | None) -> Scenario:
    """Answer well, but for what *change* does to each event, or to the body."""

    def play(scene: Scene) -> Play:
        found = scenarios.answered(spoken)(scene)
        packets = tuple(change(p) if isinstance(p, bytes) else p for p in found.packets)
        return attrs.evolve(found, packets=packets)

    return play


def _not_gzip(spoken: Answer | None) -> Scenario:
    def play(scene: Scene) -> Play:
        found = scenarios.answered(spoken)(scene)
        return attrs.evolve(found, headers={**found.headers, "content-encoding": "gzip"})

    return play


def _redirect(scene: Scene) -> Play:
    elsewhere = f"http://{scene.seen.headers['host']}{scene.format.root}/elsewhere"
    return Play((b"",), status=307, headers={"location": elsewhere}, framing="length")


def _with_comments(events: list[bytes]) -> list[bytes]:
    return [packet for event in events for packet in (b": keep-alive\n\n", b":\n", event)]


def _scenario(name: suite.Scenario, spoken: Answer | None, how: Mapping[str, Any]) -> Scenario:
    """Find the scenario of the servers that the suite calls *name*."""
    steady = [part for part in (how.get("gap", 0.0),) if part]
    known: dict[str, Callable[[], Scenario]] = {
        "one_packet": lambda: _paced(lambda events: [b"".join(events)], spoken),
        "crlf": lambda: _paced(lambda events: [e.replace(b"\n", b"\r\n") for e in events], spoken),
        "comments": lambda: _paced(_with_comments, spoken),
        "steady": lambda: _paced(lambda es: [p for e in es for p in (*steady, e)], spoken),
        "not_gzip": lambda: _not_gzip(spoken),
        "unknown_reason": lambda: _rewritten(
            lambda event: _REASON.sub(rb'"\1": "brand_new_reason"', event), spoken
        ),
        "no_reason": lambda: _rewritten(lambda event: _REASON.sub(rb'"\1": null', event), spoken),
        "redirect": lambda: _redirect,
        "status": lambda: scenarios.status(**{"number": 500, **how}),
        "bare_error": lambda: lambda _: Play((how["body"],), how["status"], framing="length"),
    }
    if name in known:
        return known[name]()
    scenario = getattr(scenarios, "answered" if name == "answered" else name)
    given = {} if spoken is None else {"answer": spoken}
    made: Scenario = scenario(**given, **how)
    return made


def _pools(usage: TokenUsage) -> Pools:
    return Pools(usage.input, usage.output, usage.cached_input, usage.cache_write, usage.reasoning)


def _usage(pools: Pools) -> TokenUsage:
    return TokenUsage(**attrs.asdict(pools))


def _answer(spoken: Spoken) -> Answer:
    calls = tuple(Call(c.id, c.name, c.arguments, c.signature) for c in spoken.calls)
    return Answer(
        text=spoken.text,
        reasoning=spoken.reasoning,
        signature=spoken.signature,
        redacted=spoken.redacted,
        calls=calls,
        refusal=spoken.refusal,
        finish=cast(Any, str(spoken.finish)),
        usage=None if spoken.usage is None else _pools(spoken.usage),
        logprobs=spoken.logprobs,
        model=spoken.model,
    )


def _thoughts(heard: Answer) -> Iterator[ReasoningPart]:
    if heard.signature:
        yield ReasoningPart(heard.whole_reasoning, heard.signature)
    if heard.redacted:
        yield ReasoningPart(redacted=heard.redacted)


@define(repr=False, eq=False)
class WireUpstream:
    """A server of one format, as the suite sees it."""

    _server: WireServer
    provider: str
    echo: str = "echo"
    secret_words: str = SECRET_WORDS
    _number: int = 0

    @property
    def format(self) -> WireFormat:
        """The format that is spoken."""
        return self._server.format

    @property
    def base_url(self) -> str:
        """What an adapter is configured with."""
        return self._server.base_url

    @property
    def statuses(self) -> Sequence[int]:
        """The documented statuses of errors."""
        return self.format.statuses

    @property
    def kinds(self) -> Sequence[suite.Kind]:
        """The kinds of failure that can be told apart."""
        return self.format.kinds

    @property
    def signs_calls(self) -> bool:
        """Whether calls bear a signature."""
        return bool(self.format.heard(_answer(Spoken(calls=(_SIGNED,)))).calls[0].signature)

    def strict(self) -> str:
        """Name an echo that wants its signatures back."""
        return "echo-strict"

    def play(self, scenario: suite.Scenario, spoken: Spoken | None = None, **how: Any) -> str:
        """Let a new model behave so, and return its name."""
        self._number += 1
        model = f"model-{self._number}"
        answer = None if spoken is None else _answer(spoken)
        self._server.script(model, _scenario(scenario, answer, how))
        return model

    def heard(self, spoken: Spoken) -> Completion:
        """Return what can be known of *spoken*."""
        heard = self.format.heard(_answer(spoken))
        refused = bool(heard.refusal) and heard.finish == "stop"
        return Completion(
            text=heard.whole_text,
            tool_calls=tuple(ToolCall(c.id, c.name, c.whole, c.signature) for c in heard.calls),
            reasoning=heard.whole_reasoning,
            refusal=heard.refusal,
            finish_reason=FinishReason("refusal" if refused else heard.finish),
            usage=None if heard.usage is None else _usage(heard.usage),
            model=heard.model,
            thoughts=tuple(_thoughts(heard)),
            logprobs=tuple(TokenLogprob(*one) for one in heard.logprobs or ()),
        )

    def events(self, spoken: Spoken) -> int:
        """Count the events of a stream."""
        return len(self._events(spoken))

    def _events(self, spoken: Spoken) -> list[bytes]:
        return self.format.events(_answer(spoken), _WITH_USAGE)

    def text_within(self, spoken: Spoken, k: int) -> str:
        """Return the text of the first *k* events."""
        sent = b"".join(self._events(spoken)[:k]).decode()
        return "".join(piece for piece in spoken.text if json.dumps(piece) in sent)

    def failure(self, *, status: int | None = None, kind: suite.Kind | None = None) -> Failure:
        """Say what a documented error means."""
        written = self.format.error(status, kind)
        if kind is not None:
            name, code = meanings.of_kind(kind)
        else:
            name, code = meanings.of_status(written.status)
        words = frozenset(_codes_in(json.loads(written.body)))
        wait = re.search(rb'"retryDelay": "(\d+)s"', written.body)
        after = timedelta(seconds=int(wait[1])) if wait else None
        return Failure(written.status, getattr(errors, name), code, words, after)

    @property
    def last(self) -> Sent:
        """The request that came last."""
        return self._sent(self._server.last)

    @property
    def sent(self) -> Sequence[Sent]:
        """All requests of this test."""
        return [self._sent(seen) for seen in self._server.requests]

    @property
    def count(self) -> int:
        """How many requests came."""
        return len(self._server.requests)

    def _sent(self, seen: SeenRequest) -> Sent:
        asked = self.format.asked(seen)
        return Sent(
            model=asked.model,
            streamed=self.format.is_streamed(seen),
            key=self.format.key_of(seen),
            headers=seen.headers,
            body=seen.body,
            text=asked.text,
            bound=asked.bound,
            tools=tuple(asked.tools),
            tool_choice=asked.tool_choice,
            parallel=asked.parallel,
            schema=asked.schema,
            stops=asked.stops,
        )

    async def left(self, model: str) -> bool:
        """Wait for the end of the request to *model*: had its client left?"""
        (seen,) = [one for one in self._server.requests if self.format.model_of(one) == model]
        assert await seen.has_ended(within=3.0), f"the server still answers {model}"
        return seen.disconnected


def _codes_in(body: Any) -> Iterator[str]:
    """Go through all words in *body* that name an error."""
    if isinstance(body, list):
        for item in body:
            yield from _codes_in(item)
    elif isinstance(body, dict):
        for name, value in body.items():
            if name in _CODES and isinstance(value, str | int):
                yield str(value)
            yield from _codes_in(value)
