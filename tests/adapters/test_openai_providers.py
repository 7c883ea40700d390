"""The chat-completions dialects against a real server that speaks as each provider does."""

from collections.abc import AsyncIterator, Iterator

import pytest

from tests.adapters.openai_calls import KEY, asking_for, shows_nothing, streamed
from tests.servers.wire import FORMATS, scenarios
from tests.servers.wire.answer import Answer, Call, Pools
from tests.servers.wire_server import WireServer, wire_server
from tollkeeper.adapters.openai.chat_model import OpenaiChatModel
from tollkeeper.adapters.openai.dialects import DIALECTS
from tollkeeper.contracts.chat_model import ChatModelContract
from tollkeeper.domain.chat import ChatRequest
from tollkeeper.domain.completions import FinishReason, TokenLogprob, TokenUsage
from tollkeeper.domain.errors import (
    ContentFiltered,
    ContextWindowExceeded,
    CorruptResponse,
    CredentialsRefused,
    NotFound,
    PortError,
    Rejected,
    Throttled,
    TollkeeperError,
    Unavailable,
)
from tollkeeper.domain.messages import assistant, tool_result, user
from tollkeeper.domain.secret import Secret
from tollkeeper.domain.tools import Tool

pytestmark = pytest.mark.anyio

PROVIDERS = sorted(DIALECTS.keys() - {"compatible"})
BOTH = pytest.mark.parametrize("whole", [True, False], ids=["whole", "streamed"])
WEATHER = Tool("get_weather", parameters={"type": "object", "properties": {"city": {}}})


@pytest.fixture(scope="module", params=PROVIDERS)
def provider(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture(scope="module")
def server(provider: str) -> Iterator[WireServer]:
    with wire_server(FORMATS[provider], KEY) as server:
        yield server


@pytest.fixture
async def chat_model(server: WireServer, provider: str) -> AsyncIterator[OpenaiChatModel]:
    async with OpenaiChatModel(server.base_url, Secret(KEY), provider=provider) as model:
        yield model


class TestEachProvider(ChatModelContract):
    @pytest.fixture
    async def another_chat_model(
        self, server: WireServer, provider: str
    ) -> AsyncIterator[OpenaiChatModel]:
        async with OpenaiChatModel(server.base_url, Secret(KEY), provider=provider) as model:
            yield model

    @pytest.fixture
    def model(self) -> str:
        return "echo"


KINDS: dict[str, type[TollkeeperError]] = {
    "context_overflow": ContextWindowExceeded,
    "content_filter": ContentFiltered,
    "unknown_model": NotFound,
    "quota": CredentialsRefused,
    "invalid_key": CredentialsRefused,
    "no_key": CredentialsRefused,
    "overloaded": Unavailable,
    "rate_limit": Throttled,
    "request_too_large": Rejected,
}


@BOTH
async def test_each_kind_of_failure_is_known_by_the_providers_own_words(
    chat_model: OpenaiChatModel, server: WireServer, whole: bool
) -> None:
    request = asking_for("failing")
    for kind in server.format.kinds:
        server.script("failing", scenarios.failing(kind))
        with pytest.raises(TollkeeperError) as raised:
            await (chat_model.complete(request) if whole else streamed(chat_model, request))
        assert type(raised.value) is KINDS[kind], kind
        if kind == "quota":
            assert raised.value.code == "provider_quota_exhausted"
        if isinstance(raised.value, PortError):
            expected = server.format.error(kind=kind).status
            assert raised.value.status == expected
            assert raised.value.provider_code, kind
        shows_nothing(raised.value)


async def test_each_documented_status_is_a_typed_error_with_its_status(
    chat_model: OpenaiChatModel, server: WireServer
) -> None:
    for status in server.format.statuses:
        server.script("status", scenarios.status(status, wait="seconds"))
        with pytest.raises(TollkeeperError) as raised:
            await chat_model.complete(asking_for("status"))
        if isinstance(raised.value, PortError):
            assert raised.value.status == status
            assert raised.value.retryable is (status in (408, 409, 429, 498) or status >= 500)
            assert (raised.value.retry_after is not None) is raised.value.retryable
        else:
            assert (type(raised.value), status) == (NotFound, 404)
        shows_nothing(raised.value)


@BOTH
async def test_a_failure_inside_an_answer_keeps_what_came(
    chat_model: OpenaiChatModel, server: WireServer, whole: bool
) -> None:
    request = asking_for("inside", "one two three four five")
    for kind, expected in (("overloaded", Unavailable), ("rate_limit", Throttled)):
        server.script("inside", scenarios.error_inside(kind, 4))  # type: ignore[arg-type]
        said = []
        with pytest.raises(PortError) as raised:  # noqa: PT012 - what is seen before counts too
            if whole:
                await chat_model.complete(request)
            async for delta in chat_model.stream(request):
                said.append(delta.text)  # noqa: PERF401
        assert isinstance(raised.value, Unavailable | Throttled)
        assert type(raised.value) is expected or chat_model.provider == "openrouter"
        assert raised.value.ambiguous is not whole
        assert whole or "".join(said).startswith("one")
        shows_nothing(raised.value)


async def test_a_clean_end_before_the_terminal_event_is_an_error(
    chat_model: OpenaiChatModel, server: WireServer
) -> None:
    server.script("ends", scenarios.without_terminal_event())
    said = []
    with pytest.raises(CorruptResponse):  # noqa: PT012 - what is seen before counts too
        async for delta in chat_model.stream(asking_for("ends")):
            said.append(delta.text)  # noqa: PERF401
    assert "".join(said) == "Say one two three"


@pytest.mark.parametrize("k", range(1, 6))
async def test_a_stream_that_is_cut_anywhere_is_an_error(
    chat_model: OpenaiChatModel, server: WireServer, k: int
) -> None:
    for ending in ("whole", "cut", "reset"):
        server.script("breaks", scenarios.breaks(ending, k))
        with pytest.raises(PortError):
            await streamed(chat_model, asking_for("breaks"))


@BOTH
async def test_compressed_answers_are_read_all_the_same(
    chat_model: OpenaiChatModel, server: WireServer, whole: bool
) -> None:
    server.script("packed", scenarios.gzipped())
    request = asking_for("packed", "Grüezi 世界")
    answer = await (chat_model.complete(request) if whole else streamed(chat_model, request))
    assert answer.text == "Grüezi 世界"
    assert answer.usage is not None


ANSWER = Answer(
    text=("Grü", "ezi."),
    usage=Pools(input=9, output=7, cached_input=2, reasoning=5),
    logprobs=(("Grü", -0.25), ("ezi.", -1.5)),
)


@BOTH
async def test_usage_is_read_where_the_provider_has_it(
    chat_model: OpenaiChatModel, server: WireServer, provider: str, whole: bool
) -> None:
    server.script("counts", scenarios.answered(ANSWER))
    request = asking_for("counts")
    answer = await (chat_model.complete(request) if whole else streamed(chat_model, request))
    expected = TokenUsage(input=9, output=7, cached_input=2, reasoning=5)
    if provider == "morph":  # it does not say which of the tokens were thoughts
        expected = TokenUsage(input=9, output=12, cached_input=2)
    assert answer.usage == expected


@BOTH
async def test_probabilities_and_extras_are_kept_where_the_provider_has_them(
    chat_model: OpenaiChatModel, server: WireServer, provider: str, whole: bool
) -> None:
    server.script("beside", scenarios.answered(ANSWER))
    request = asking_for("beside")
    answer = await (chat_model.complete(request) if whole else streamed(chat_model, request))
    if provider in ("openai", "openrouter", "xai"):
        first, second = answer.logprobs
        assert first == TokenLogprob("Grü", -0.25, (("Grü", -0.25),))
        assert (second.token, second.logprob) == ("ezi.", -1.5)
    expected = {
        "openai": {"service_tier": "default", "system_fingerprint": "fp_44709d6fcb"},
        "groq": {
            "service_tier": "on_demand",
            "system_fingerprint": "fp_3400102b8b",
            "x_groq.id": "req_01",
        },
        "openrouter": {
            "provider": "Echo",
            "native_finish_reason": "completed",
            "usage.cost": 0.00014,
            "usage.cost_details": {"upstream_inference_cost": None},
        },
        "xai": {"system_fingerprint": "fp_0d42a4eb3d", "usage.num_sources_used": 0},
    }
    assert answer.extras == expected.get(provider, {})


@BOTH
async def test_a_refusal_is_no_answer_that_stopped(
    chat_model: OpenaiChatModel, server: WireServer, provider: str, whole: bool
) -> None:
    server.script("refuses", scenarios.answered(Answer(refusal="I cannot.", finish="refusal")))
    request = asking_for("refuses")
    answer = await (chat_model.complete(request) if whole else streamed(chat_model, request))
    if provider == "openai":
        assert (answer.refusal, answer.finish_reason) == ("I cannot.", FinishReason.REFUSAL)
    else:
        assert answer.finish_reason is FinishReason.CONTENT_FILTER


@BOTH
async def test_reasoning_is_read_and_goes_back_as_the_provider_wants_it(
    chat_model: OpenaiChatModel, server: WireServer, provider: str, whole: bool
) -> None:
    thinking = Answer(text=("Yes",), reasoning=("Let me ", "think."), signature="c2ln")
    server.script("thinks", scenarios.answered(thinking))
    question = user("Really?")
    request = ChatRequest("thinks", (question,), 64)
    answer = await (chat_model.complete(request) if whole else streamed(chat_model, request))
    shown = provider in ("groq", "openrouter", "xai")
    assert answer.reasoning == ("Let me think." if shown else "")
    back = ChatRequest("thinks", (question, answer.as_message(), user("Sure?")), 64)
    await chat_model.complete(back)
    sent = server.last.json["messages"][1]
    assert sent["content"] == "Yes"
    if provider == "openrouter":
        detail = {"type": "reasoning.text", "text": "Let me think.", "signature": "c2ln"}
        assert sent["reasoning_details"] == [{**detail, "index": 0}]
    elif provider == "xai":
        assert sent["reasoning_content"] == "Let me think."
    else:
        assert sent.keys() == {"role", "content"}


@BOTH
async def test_parallel_calls_come_with_their_signatures_and_go_back_with_them(
    chat_model: OpenaiChatModel, server: WireServer, provider: str, whole: bool
) -> None:
    calls = (
        Call("call_a", "get_weather", ('{"city": ', '"Bern"}'), signature="c2ln"),
        Call("call_b", "get_weather", ('{"city": ', '"Rome"}')),
    )
    server.script("calls", scenarios.answered(Answer(calls=calls, finish="tool_calls")))
    question = user("Weather in Bern and Rome?")
    request = ChatRequest("calls", (question,), 64, tools=(WEATHER,))
    answer = await (chat_model.complete(request) if whole else streamed(chat_model, request))
    assert [call.parsed_arguments() for call in answer.tool_calls] == [
        {"city": "Bern"},
        {"city": "Rome"},
    ]
    signatures = ["c2ln", ""] if provider == "gemini" else ["", ""]
    assert [call.signature for call in answer.tool_calls] == signatures
    results = [tool_result(call.id, "sunny") for call in answer.tool_calls]
    said = assistant(tool_calls=answer.tool_calls)
    server.plays.pop("echo-strict", None)
    strict = ChatRequest("echo-strict", (question, said, *results), 64, tools=(WEATHER,))
    assert (await chat_model.complete(strict)).text
