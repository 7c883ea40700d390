"""Messages and their parts in each dialect, without a network."""

import base64
from typing import Any

import pytest

from tests.adapters.openai_calls import sent
from tollkeeper.adapters.openai.dialects import (
    COMPATIBLE,
    DIALECTS,
    GEMINI,
    GROQ,
    OPENAI,
    OPENROUTER,
    XAI,
    Dialect,
)
from tollkeeper.domain.errors import Unsupported
from tollkeeper.domain.messages import (
    AudioPart,
    FilePart,
    ImagePart,
    Message,
    Part,
    ReasoningPart,
    Role,
    TextPart,
    ToolCall,
    assistant,
    system,
    tool_result,
    user,
)
from tollkeeper.domain.prompt_cache import PromptCache

SOUND = AudioPart(b"RIFF", "wav")
PDF = FilePart("a.pdf", data=b"%PDF")


def test_sound_and_files_are_written_as_the_provider_takes_them() -> None:
    def part(dialect: Dialect, part: Part) -> dict[str, Any]:
        content = sent(dialect, messages=(user(["x", part]),))["messages"][0]["content"]
        found: dict[str, Any] = content[1]
        return found

    data = base64.b64encode(b"RIFF").decode()
    for dialect in (OPENAI, OPENROUTER, GEMINI, COMPATIBLE):
        assert part(dialect, SOUND) == {
            "type": "input_audio",
            "input_audio": {"data": data, "format": "wav"},
        }
    written = {"filename": "a.pdf", "file_data": "data:application/pdf;base64,JVBERg=="}
    for dialect in (OPENAI, OPENROUTER, COMPATIBLE):
        assert part(dialect, PDF) == {"type": "file", "file": written}
    by_address = FilePart("a.pdf", url="https://example.org/a.pdf")
    assert part(OPENROUTER, by_address)["file"]["file_data"] == by_address.url
    refused: list[tuple[Dialect, Part]] = [
        (OPENAI, by_address),
        (OPENAI, AudioPart(b"x", "flac")),
        (GROQ, SOUND),
        (GROQ, PDF),
        (XAI, SOUND),
        (GEMINI, PDF),
    ]
    for dialect, one in refused:
        with pytest.raises(Unsupported):
            part(dialect, one)
    with pytest.raises(Unsupported):
        sent(OPENAI, messages=(system("x"), Message(Role.TOOL, (SOUND,), tool_call_id="1")))


LONG = "word " * 2_000
CONVERSATION = (
    system(LONG),
    user(["Look:", ImagePart(url="https://example.org/a.png")]),
    assistant("Yes."),
    user(LONG),
)


def marks(dialect: Dialect, model: str, **policy: Any) -> list[Any]:
    cache = PromptCache(**policy)
    body = sent(dialect, model=model, messages=CONVERSATION, prompt_cache=cache)
    last = [m["content"][-1] if isinstance(m["content"], list) else {} for m in body["messages"]]
    return [part.get("cache_control") for part in last]


def test_prefixes_are_marked_only_for_the_models_that_want_it() -> None:
    mark = {"type": "ephemeral"}
    assert marks(OPENROUTER, "anthropic/claude-sonnet-5") == [mark, mark, None, mark]
    assert marks(OPENROUTER, "google/gemini-3-pro", ttl="1h", tail=1) == [
        {**mark, "ttl": "1h"},
        None,
        None,
        {**mark, "ttl": "1h"},
    ]
    assert marks(OPENROUTER, "openai/gpt-5") == [None] * 4
    for dialect in (OPENAI, GROQ, GEMINI, COMPATIBLE):
        assert marks(dialect, "anthropic/claude-sonnet-5") == [None] * 4


def test_a_tool_that_failed_says_so_in_its_text() -> None:
    call = ToolCall("c", "f", "{}")
    two = Message(Role.TOOL, (TextPart("no"), TextPart("net")), tool_call_id="c", is_error=True)
    for result, content in (
        (tool_result("c", "no network", is_error=True), "Error: no network"),
        (tool_result("c", "sunny"), "sunny"),
        (Message(Role.TOOL, (), tool_call_id="c", is_error=True), "Error: "),
        (two, [{"type": "text", "text": text} for text in ("Error: ", "no", "net")]),
    ):
        body = sent(OPENAI, messages=(user("x"), assistant(tool_calls=[call]), result))
        assert body["messages"][2]["content"] == content


THOUGHTS = (ReasoningPart("Hm.", "sig"), ReasoningPart(redacted="blob", signature="rs_1"))


@pytest.mark.parametrize(
    ("model", "details"),
    [
        (
            "anthropic/claude-sonnet-5",
            [
                {"type": "reasoning.text", "text": "Hm.", "signature": "sig"},
                {"type": "reasoning.encrypted", "data": "blob", "id": "rs_1"},
            ],
        ),
        (
            "openai/gpt-5",
            [
                {"type": "reasoning.summary", "summary": "Hm."},
                {"type": "reasoning.encrypted", "data": "blob", "id": "rs_1"},
            ],
        ),
    ],
)
def test_thoughts_go_back_in_the_form_of_the_models_maker(
    model: str, details: list[dict[str, Any]]
) -> None:
    formats = {"anthropic": "anthropic-claude-v1", "openai": "openai-responses-v1"}
    form = formats[model.partition("/")[0]]
    said = assistant("Yes.", reasoning=THOUGHTS)
    body = sent(OPENROUTER, model=model, messages=(user("x"), said, user("y")))
    expected = [{**detail, "format": form, "index": n} for n, detail in enumerate(details)]
    assert body["messages"][1] == {
        "role": "assistant",
        "content": "Yes.",
        "reasoning_details": expected,
    }


def test_thoughts_are_plain_text_or_left_out_elsewhere() -> None:
    said = assistant("Yes.", reasoning=THOUGHTS)
    for dialect in (XAI, COMPATIBLE):
        body = sent(dialect, messages=(said, user("y")))
        assert body["messages"][0]["reasoning_content"] == "Hm."
    for dialect in (OPENAI, GROQ, GEMINI):
        body = sent(dialect, messages=(said, user("y")))
        assert body["messages"][0] == {"role": "assistant", "content": "Yes."}
    calls = assistant(tool_calls=[ToolCall("c", "f", "{}")], reasoning=THOUGHTS)
    body = sent(OPENAI, messages=(calls, tool_result("c", "x")))
    assert body["messages"][0]["content"] is None


def test_a_calls_signature_goes_to_gemini_alone() -> None:
    call = ToolCall("c", "f", "{}", "sig")
    messages = (user("x"), assistant(tool_calls=[call]), tool_result("c", "y"))
    for dialect in DIALECTS.values():
        (written,) = sent(dialect, messages=messages)["messages"][1]["tool_calls"]
        signed = {"google": {"thought_signature": "sig"}} if dialect is GEMINI else None
        assert written.get("extra_content") == signed
