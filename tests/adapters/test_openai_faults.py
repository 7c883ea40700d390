"""Every way in which a provider fails, played by a real server, and the error it becomes."""

import asyncio
import traceback
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from tests.servers.openai_answers import chunk, event
from tests.servers.openai_plays import SECRET_WORDS
from tests.servers.openai_server import OpenaiServer, Play, openai_server
from tollkeeper.adapters.openai.chat_model import OpenaiChatModel
from tollkeeper.adapters.openai.faults import ProviderFault, decode_fault, provider_error
from tollkeeper.adapters.openai.waits import retry_after
from tollkeeper.domain.chat import ChatRequest, user
from tollkeeper.domain.completions import Completion, CompletionBuilder, FinishReason
from tollkeeper.domain.errors import (
    ContentFiltered,
    ContextWindowExceeded,
    CorruptResponse,
    CredentialsRefused,
    NotFound,
    PortError,
    Rejected,
    Throttled,
    Timeout,
    TollkeeperError,
    Unavailable,
)
from tollkeeper.domain.secret import Secret

pytestmark = pytest.mark.anyio

KEY = "sk-a-secret-that-nobody-sees"
WHOLE, STREAMED = False, True
BOTH = pytest.mark.parametrize("streamed", [WHOLE, STREAMED], ids=["whole", "streamed"])


@pytest.fixture(scope="module")
def server() -> Iterator[OpenaiServer]:
    with openai_server() as server:
        yield server


@pytest.fixture
async def chat_model(server: OpenaiServer) -> AsyncIterator[OpenaiChatModel]:
    async with OpenaiChatModel(
        server.base_url,
        Secret(KEY),
        idle_timeout=timedelta(seconds=0.15),
        total_timeout=timedelta(seconds=0.25),
        largest_response=1_000_000,
    ) as chat_model:
        yield chat_model


def asking(model: str) -> ChatRequest:
    return ChatRequest(model, (user("Grüezi 世界 🌍 !"),), 64)


async def ask(chat_model: OpenaiChatModel, model: str, *, streamed: bool) -> Completion:
    """Return the answer; if it fails, the error says what came before it."""
    if not streamed:
        return await chat_model.complete(asking(model))
    builder = CompletionBuilder()
    try:
        async for delta in chat_model.stream(asking(model)):
            builder.add(delta)
    except TollkeeperError as error:
        error.add_note(builder.build().text)
        raise
    return builder.build()


STATUSES: dict[str, tuple[type[TollkeeperError], bool]] = {
    "status-400": (Rejected, False),
    "status-401": (CredentialsRefused, False),
    "status-402": (CredentialsRefused, False),
    "status-403": (CredentialsRefused, False),
    "status-404": (NotFound, False),
    "status-405": (Rejected, False),
    "status-408": (Timeout, True),
    "status-409": (Unavailable, False),
    "status-413": (Rejected, False),
    "status-418": (Rejected, False),
    "status-422": (Rejected, False),
    "status-429": (Throttled, False),
    "status-500": (Unavailable, False),
    "status-502": (Unavailable, False),
    "status-503": (Unavailable, False),
    "status-504": (Timeout, True),
    "status-524": (Timeout, True),
    "status-529": (Unavailable, False),
    "status-204": (CorruptResponse, False),
    "status-302": (CorruptResponse, False),
    "status-307": (CorruptResponse, False),
}


@BOTH
@pytest.mark.parametrize("model", STATUSES)
async def test_a_status_becomes_its_error(
    chat_model: OpenaiChatModel, model: str, streamed: bool
) -> None:
    expected, ambiguous = STATUSES[model]
    with pytest.raises(TollkeeperError) as raised:
        await ask(chat_model, model, streamed=streamed)
    error = raised.value
    assert type(error) is expected
    assert isinstance(error.__cause__, ProviderFault)
    assert error.__cause__.status == int(model.split("-")[1])
    if isinstance(error, PortError):
        assert (error.port, error.adapter) == ("chat_model", "openai")
        assert error.ambiguous is ambiguous
    _shows_nothing(error)


CODES: dict[str, type[TollkeeperError]] = {
    "context_length_exceeded": ContextWindowExceeded,
    "content_filter": ContentFiltered,
    "content_policy_violation": ContentFiltered,
    "insufficient_quota": CredentialsRefused,
    "model_not_found": NotFound,
    "invalid_api_key": CredentialsRefused,
    "rate_limit_exceeded": Rejected,
    "anything_else": Rejected,
}


@BOTH
@pytest.mark.parametrize("code", CODES)
async def test_a_code_says_more_than_the_status_400(
    chat_model: OpenaiChatModel, code: str, streamed: bool
) -> None:
    with pytest.raises(CODES[code]) as raised:
        await ask(chat_model, f"error-{code}", streamed=streamed)
    assert isinstance(raised.value.__cause__, ProviderFault)
    assert raised.value.__cause__.code == code
    _shows_nothing(raised.value)


@pytest.mark.parametrize(
    ("how", "seconds"),
    [("", None), ("-seconds", 7), ("-date", 60), ("-ms", 1.5), ("-nonsense", None)],
)
@pytest.mark.parametrize("status", [429, 503])
async def test_how_long_to_wait_is_kept(
    chat_model: OpenaiChatModel, status: int, how: str, seconds: float | None
) -> None:
    with pytest.raises((Throttled, Unavailable)) as raised:
        await ask(chat_model, f"status-{status}{how}", streamed=True)
    assert isinstance(raised.value, PortError)
    expected = None if seconds is None else timedelta(seconds=seconds)
    assert raised.value.retry_after == expected


# How the model misbehaves: the error, whether the work may be done, and the text before it.
BREAKS: dict[tuple[str, bool], tuple[type[PortError], bool, str]] = {
    ("reset-at-once", WHOLE): (Unavailable, True, ""),
    ("reset-at-once", STREAMED): (Unavailable, True, ""),
    ("cut-at-once", WHOLE): (Unavailable, True, ""),
    ("cut-at-once", STREAMED): (Unavailable, True, ""),
    ("stall-at-once", WHOLE): (Timeout, True, ""),
    ("stall-at-once", STREAMED): (Timeout, True, ""),
    ("reset", WHOLE): (Unavailable, True, ""),
    ("reset", STREAMED): (Unavailable, True, "Grüezi 世界"),
    ("cut", WHOLE): (Unavailable, True, ""),
    ("cut", STREAMED): (Unavailable, True, "Grüezi 世界"),
    ("stall", WHOLE): (Timeout, True, ""),
    ("stall", STREAMED): (Timeout, True, "Grüezi 世界"),
    ("early-end", WHOLE): (CorruptResponse, False, ""),
    ("early-end", STREAMED): (CorruptResponse, False, "Grüezi 世界"),
    ("invalid-json", WHOLE): (CorruptResponse, False, ""),
    ("invalid-json", STREAMED): (CorruptResponse, False, ""),
    ("no-choices", WHOLE): (CorruptResponse, False, ""),
    ("no-choices", STREAMED): (CorruptResponse, False, ""),
    ("empty-choices", WHOLE): (CorruptResponse, False, ""),
    ("empty-choices", STREAMED): (CorruptResponse, False, ""),
    ("no-reason", WHOLE): (CorruptResponse, False, ""),
    ("no-reason", STREAMED): (CorruptResponse, False, "Hello"),
    ("html", WHOLE): (CorruptResponse, False, ""),
    ("html", STREAMED): (CorruptResponse, False, ""),
    ("not-http", WHOLE): (CorruptResponse, False, ""),
    ("not-http", STREAMED): (CorruptResponse, False, ""),
    ("bad-chunk", WHOLE): (CorruptResponse, False, ""),
    ("bad-chunk", STREAMED): (CorruptResponse, False, ""),
    ("bad-later-chunk", WHOLE): (Unavailable, True, ""),
    ("bad-later-chunk", STREAMED): (Unavailable, True, ""),
    ("fault-inside", WHOLE): (Unavailable, False, ""),
    ("fault-inside", STREAMED): (Unavailable, True, "Grüezi 世界"),
    ("endless-line", STREAMED): (CorruptResponse, False, "Grüezi"),
}


@pytest.mark.parametrize(("model", "streamed"), BREAKS)
async def test_an_answer_that_breaks_is_an_error_after_all_that_came(
    chat_model: OpenaiChatModel, server: OpenaiServer, model: str, streamed: bool
) -> None:
    expected, ambiguous, before = BREAKS[model, streamed]
    with pytest.raises(PortError) as raised:
        await ask(chat_model, model, streamed=streamed)
    assert type(raised.value) is expected
    assert raised.value.ambiguous is ambiguous
    assert "".join(getattr(raised.value, "__notes__", [])) == before
    _shows_nothing(raised.value)
    assert await server.last.has_ended(), "the connection is closed"


async def test_a_slow_reader_loses_nothing_that_came_before_a_break(
    chat_model: OpenaiChatModel, server: OpenaiServer
) -> None:
    """The break is known before the reader asks for the second delta."""
    builder = CompletionBuilder()
    with pytest.raises(Unavailable):  # noqa: PT012 - what is seen before counts too
        async for delta in chat_model.stream(asking("reset")):
            builder.add(delta)
            await server.last.has_ended()
            await asyncio.sleep(0.05)
    assert builder.build().text == "Grüezi 世界"


WHOLE_ANSWERS = {
    "every-byte": True,
    "no-done": True,
    "no-last-line-end": True,
    "lingers": True,
    "keep-alive": True,
    "crlf": True,
    "not-streamed": True,
    "slow": True,
    "usage-everywhere": True,
    "usage-absent": False,
    "usage-null": False,
    "reset-after-reason": False,
}


@pytest.mark.parametrize("model", WHOLE_ANSWERS)
async def test_an_odd_but_whole_answer_is_read_to_its_end(
    chat_model: OpenaiChatModel, model: str
) -> None:
    answer = await ask(chat_model, model, streamed=True)
    assert answer.text == "Grüezi 世界 🌍 !"
    assert answer.finish_reason is FinishReason.STOP
    assert (answer.usage is not None) is WHOLE_ANSWERS[model]


@pytest.mark.parametrize(("model", "reported"), [("usage-absent", False), ("usage-null", False)])
async def test_a_whole_answer_may_come_without_usage(
    chat_model: OpenaiChatModel, model: str, reported: bool
) -> None:
    answer = await ask(chat_model, model, streamed=False)
    assert (answer.usage is not None) is reported


async def test_usage_reported_before_a_break_is_given_before_the_error(
    chat_model: OpenaiChatModel, server: OpenaiServer
) -> None:
    usage = {"prompt_tokens": 4, "completion_tokens": 1}
    begun = event(chunk({"content": "Hi"}, usage=usage))
    server.plays["breaks-with-usage"] = lambda _: Play(
        (begun, 0.02), content_type="text/event-stream", ending="cut"
    )
    deltas = []
    with pytest.raises(Unavailable):  # noqa: PT012 - what is seen before counts too
        async for delta in chat_model.stream(asking("breaks-with-usage")):
            deltas.append(delta)  # noqa: PERF401
    assert [delta.text for delta in deltas] == ["Hi", ""]
    assert deltas[-1].usage is not None
    assert deltas[-1].usage.output == 1


async def test_an_answer_beyond_all_bounds_is_not_read(
    chat_model: OpenaiChatModel, server: OpenaiServer
) -> None:
    server.plays["huge"] = lambda _: Play(tuple(b" " * 65_536 for _ in range(40)))
    with pytest.raises(CorruptResponse, match="larger"):
        await chat_model.complete(asking("huge"))
    assert await server.last.has_ended()


async def test_an_error_whose_body_never_ends_is_known_by_its_status(
    chat_model: OpenaiChatModel, server: OpenaiServer
) -> None:
    server.plays["503-stall"] = lambda _: Play((b"{",), status=503, ending="stall")
    server.plays["503-huge"] = lambda _: Play((b"x" * 300_000,), status=503)
    for model in ("503-stall", "503-huge"):
        with pytest.raises(Unavailable):
            await ask(chat_model, model, streamed=True)


async def test_a_server_that_is_not_there_has_done_nothing() -> None:
    with openai_server() as gone:
        base_url = gone.base_url
    async with OpenaiChatModel(base_url) as chat_model:
        for streamed in (WHOLE, STREAMED):
            with pytest.raises(Unavailable) as raised:
                await ask(chat_model, "echo", streamed=streamed)
            assert not raised.value.ambiguous


async def test_a_host_without_a_name_cannot_be_reached() -> None:
    async with OpenaiChatModel("http://no-such-host.invalid/v1") as chat_model:
        with pytest.raises(Unavailable) as raised:
            await ask(chat_model, "echo", streamed=False)
        assert not raised.value.ambiguous


async def test_a_server_without_tls_is_not_sent_the_key(server: OpenaiServer) -> None:
    before = len(server.requests)
    base_url = server.base_url.replace("http://", "https://")
    async with OpenaiChatModel(base_url, Secret(KEY)) as chat_model:
        with pytest.raises(PortError) as raised:
            await ask(chat_model, "echo", streamed=False)
    assert type(raised.value) is Unavailable
    assert raised.value.code == "tls_failed"
    assert not raised.value.ambiguous
    assert len(server.requests) == before
    _shows_nothing(raised.value)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"null",
        b"[]",
        b"7",
        b'{"error": null}',
        b'{"error": "text"}',
        b'{"error": {"code": {"a": 1}, "type": [], "message": 7}}',
        b'[{"error": {"code": 503, "message": "m", "status": "UNAVAILABLE"}}]',
        b'{"object": "error", "message": "m", "type": "BadRequestError", "code": 400}',
        b'{"detail": [{"loc": ["body"], "msg": "m"}]}',
        b"\xff\xfe",
        b"[" * 50_000,
    ],
)
def test_an_error_body_of_any_shape_leaves_the_status_to_go_by(body: bytes) -> None:
    assert type(provider_error(decode_fault(body, status=503))) is Unavailable
    assert type(provider_error(decode_fault(body, status=429))) is Throttled
    assert isinstance(provider_error(decode_fault(body)), PortError)


def test_a_full_context_window_is_known_by_the_sentence_of_open_servers() -> None:
    body = b'{"message": "This model\'s maximum context length is 4096 tokens.", "code": 400}'
    assert type(provider_error(decode_fault(body, status=400))) is ContextWindowExceeded


def test_a_quota_that_is_used_up_is_no_rate_to_wait_for() -> None:
    body = b'{"error": {"code": "insufficient_quota", "type": "insufficient_quota"}}'
    error = provider_error(decode_fault(body, status=429), {"retry-after": "1"})
    assert isinstance(error, CredentialsRefused)
    assert error.code == "provider_quota_exhausted"
    assert not error.retryable
    assert error.retry_after is None


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0),
        ("1.5", 1.5),
        (" 20 ", 20),
        ("-5", 0),
        ("1e9", 86_400),
        ("1e999", None),
        ("nan", None),
        ("", None),
        ("Wed, 31 Feb 2001 00:00:00 GMT", None),
    ],
)
def test_how_long_to_wait_is_bounded(text: str, seconds: float | None) -> None:
    expected = None if seconds is None else timedelta(seconds=seconds)
    assert retry_after({"retry-after": text}) == expected


def test_a_date_to_wait_for_counts_from_the_answers_own_date() -> None:
    sent = datetime(2001, 1, 1, 12, tzinfo=UTC)
    date, until = format_datetime(sent), format_datetime(sent + timedelta(seconds=90))
    assert retry_after({"retry-after": until, "date": date}) == timedelta(seconds=90)
    assert retry_after({"retry-after": date, "date": until}) == timedelta(0)
    assert retry_after({"retry-after": until}) == timedelta(0), "long past by now"


def _shows_nothing(error: BaseException | None) -> None:
    """See that neither the key nor the provider's own words are in anything that is printed."""
    shown = "".join(traceback.format_exception(error))
    while error is not None:
        shown += repr(error) + str(error) + repr(error.args)
        assert error.__cause__ is None or error.__context__ in (None, error.__cause__)
        error = error.__cause__
    assert KEY not in shown
    assert SECRET_WORDS not in shown
