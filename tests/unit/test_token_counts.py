"""The bound before a call is never below the estimate after it."""

from typing import Any

from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from tollkeeper.domain.chat import ChatRequest
from tollkeeper.domain.completions import Completion
from tollkeeper.domain.embeddings import EmbeddingRequest
from tollkeeper.domain.messages import (
    AudioPart,
    FilePart,
    ImagePart,
    Message,
    TextPart,
    ToolCall,
    assistant,
    system,
    tool_result,
    user,
)
from tollkeeper.domain.meters import INPUT_POOLS, OUTPUT_POOLS
from tollkeeper.domain.token_counts import (
    LARGEST_FILE_TOKENS,
    bound_embedded_tokens,
    bound_input_tokens,
    estimate_embedded_tokens,
    estimate_usage,
)
from tollkeeper.domain.tools import JsonSchema, Tool

TEXTS = st.text(max_size=60)
CALLS = st.lists(st.builds(ToolCall, TEXTS, TEXTS, TEXTS), max_size=3)
PARTS = st.builds(TextPart, TEXTS) | st.builds(ImagePart, data=st.binary(min_size=1, max_size=4))
MESSAGES = (
    st.builds(user, st.lists(PARTS, max_size=4))
    | st.builds(system, TEXTS)
    | st.builds(lambda text, calls: assistant(text, tool_calls=calls), TEXTS, CALLS)
    | st.builds(tool_result, st.text(min_size=1, max_size=9), TEXTS)
)
NAMES = st.from_regex(r"[A-Za-z0-9_-]{1,20}", fullmatch=True)
SCHEMAS = st.dictionaries(TEXTS, TEXTS | st.integers(), max_size=3).map(
    lambda properties: {"properties": properties, "type": "object"}
)
REQUESTS = st.builds(
    ChatRequest,
    model=st.just("m"),
    messages=st.lists(MESSAGES, min_size=1, max_size=5),
    max_tokens=st.integers(1, 50),
    tools=st.lists(
        st.builds(Tool, NAMES, TEXTS, SCHEMAS), max_size=3, unique_by=lambda tool: tool.name
    ),
    response_format=st.sampled_from(["text", "json"]) | st.builds(JsonSchema, NAMES, SCHEMAS),
)
# A model may write half of a surrogate pair, when a stream breaks between the two.
WRITTEN = st.text(st.characters(exclude_categories=()), max_size=300)
ANSWERS = st.builds(
    Completion,
    text=WRITTEN,
    reasoning=WRITTEN,
    refusal=WRITTEN,
    tool_calls=st.lists(st.builds(ToolCall, WRITTEN, WRITTEN, WRITTEN), max_size=3).map(tuple),
)


@given(REQUESTS, ANSWERS)
def test_an_estimate_stays_within_the_bounds_of_the_hold(
    request: ChatRequest, seen: Completion
) -> None:
    quantities = estimate_usage(request, seen).quantities()
    assert sum(quantities[pool] for pool in INPUT_POOLS) <= bound_input_tokens(request)
    assert sum(quantities[pool] for pool in OUTPUT_POOLS) <= request.max_tokens


@given(REQUESTS, MESSAGES)
def test_the_bound_grows_with_every_message(request: ChatRequest, more: Message) -> None:
    longer = evolve(request, messages=(*request.messages, more))
    assert bound_input_tokens(longer) > bound_input_tokens(request)


@given(REQUESTS, TEXTS)
def test_the_bound_covers_every_byte(request: ChatRequest, text: str) -> None:
    size = len(text.encode())
    longer = evolve(request, messages=(*request.messages, user(text)))
    assert bound_input_tokens(longer) - bound_input_tokens(request) >= size


def changed(**changes: Any) -> int:
    base = ChatRequest(model="m", messages=[user("Hello")], max_tokens=10)
    return bound_input_tokens(evolve(base, **changes)) - bound_input_tokens(base)


def test_tools_schemas_images_and_calls_are_counted() -> None:
    tool = Tool("weather", "How it is", {"type": "object", "properties": {"city": {}}})
    schema = JsonSchema("answer", {"type": "object"})
    call = assistant(tool_calls=[ToolCall("call-1", "weather", '{"city": "Oslo"}')])
    assert changed(tools=[tool]) > len("weatherHow it iscity")
    assert changed(response_format=schema) > len("object")
    assert changed(messages=[user("Hello"), call]) > len("weatherOslo")
    assert changed(messages=[user("Hello"), tool_result("é" * 50, "")]) >= 100
    assert changed(messages=[user(["Hello", ImagePart(url="https://x/y.png")])]) > 1000


def test_what_was_seen_is_estimated_at_four_bytes_a_token() -> None:
    request = ChatRequest(model="m", messages=[user("x" * 40)], max_tokens=100)
    seen = Completion(text="y" * 41, reasoning="z" * 8)
    usage = estimate_usage(request, seen)
    assert (usage.input, usage.output, usage.reasoning) == (10, 11, 2)
    assert estimate_usage(request, Completion()).output == 0


@given(REQUESTS, WRITTEN, WRITTEN)
def test_more_that_was_seen_is_never_estimated_as_less(
    request: ChatRequest, some: str, more: str
) -> None:
    less = estimate_usage(request, Completion(text=some))
    assert estimate_usage(request, Completion(text=some + more)).output >= less.output


def test_sound_and_documents_are_bounded_by_what_they_can_hold() -> None:
    base = changed(messages=[user("Hello")])
    second_of_sound = AudioPart(bytes(8_000), "wav")
    assert changed(messages=[user(["Hello", second_of_sound])]) - base >= 32
    compressed = AudioPart(bytes(8_000), "mp3")
    assert changed(messages=[user(["Hello", compressed])]) > changed(
        messages=[user(["Hello", second_of_sound])]
    )
    paper = FilePart("a.pdf", data=bytes(10))
    book = FilePart("b.pdf", data=bytes(LARGEST_FILE_TOKENS * 2))
    assert changed(messages=[user(["Hello", paper])]) - base >= LARGEST_FILE_TOKENS
    assert changed(messages=[user(["Hello", book])]) - base >= LARGEST_FILE_TOKENS * 2


def test_what_goes_to_the_provider_untouched_is_counted_too() -> None:
    assert changed(extra={"note": "x" * 100}) >= 100
    assert changed(extra={"odd": {1, 2}}) > 0


@given(REQUESTS, st.integers(1, 100))
def test_a_window_bounds_what_can_be_read(request: ChatRequest, window: int) -> None:
    assert bound_input_tokens(request, window=window) == min(bound_input_tokens(request), window)


@given(REQUESTS)
def test_a_tokenizer_counts_the_text_and_one_that_cannot_tell_leaves_the_bytes(
    request: ChatRequest,
) -> None:
    def by_byte(text: str) -> int | None:
        return len(text.encode())

    def not_at_all(_: str) -> int | None:
        return None

    assert bound_input_tokens(request, count=by_byte) == bound_input_tokens(request)
    assert bound_input_tokens(request, count=not_at_all) == bound_input_tokens(request)
    assert bound_input_tokens(request, count=lambda _: 0) <= bound_input_tokens(request)


@given(st.lists(st.text(min_size=1, max_size=40), min_size=1, max_size=5))
def test_the_estimate_of_what_is_embedded_stays_within_its_bound(texts: list[str]) -> None:
    request = EmbeddingRequest("m", texts)
    assert 0 < estimate_embedded_tokens(request) <= bound_embedded_tokens(request)
    assert bound_embedded_tokens(request, count=lambda text: 1) == len(texts)
    assert bound_embedded_tokens(request, count=lambda _: None) == bound_embedded_tokens(request)
