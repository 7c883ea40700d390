"""Parts and messages hold what they should, and nothing that a provider would choke on."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollkeeper.domain.completions import Completion
from tollkeeper.domain.errors import InvalidRequest
from tollkeeper.domain.messages import (
    AudioPart,
    FilePart,
    ImagePart,
    Message,
    ReasoningPart,
    Role,
    TextPart,
    ToolCall,
    assistant,
    tool_result,
    user,
)

HALF_A_PAIR = "\ud83d"
TEXTS = st.text(max_size=20)
THOUGHTS = st.builds(ReasoningPart, TEXTS, TEXTS, TEXTS)
CALLS = st.builds(ToolCall, TEXTS, TEXTS, TEXTS, TEXTS)


def test_a_message_may_hold_parts_of_every_kind() -> None:
    parts = (
        TextPart("look:"),
        ImagePart(data=b"\x89PNG", media_type="image/webp"),
        AudioPart(b"RIFF", "wav"),
        FilePart("report.pdf", data=b"%PDF"),
        FilePart("notes.txt", url="https://host/notes.txt", media_type="text/plain"),
    )
    assert user(parts).content == parts
    assert user(parts).text == "look:"
    for part in parts:
        assert user(part).content == (part,)


@pytest.mark.parametrize("format", ["wav", "mp3", "flac", "ogg", "m4a", "webm"])
def test_sound_may_have_the_formats_that_providers_take(format: str) -> None:  # noqa: A002
    assert AudioPart(b"x", format).format == format


BAD_PARTS: dict[str, Callable[[], object]] = {
    "a sound of no bytes": lambda: AudioPart(b""),
    "a sound that is text": lambda: AudioPart("RIFF"),  # type: ignore[arg-type]
    "a sound of nothing": lambda: AudioPart(None),  # type: ignore[arg-type]
    "a sound of an odd format": lambda: AudioPart(b"x", "aiff"),
    "a sound of a media type": lambda: AudioPart(b"x", "audio/wav"),
    "a sound of a list": lambda: AudioPart(b"x", ["wav"]),  # type: ignore[arg-type]
    "a file of nothing": lambda: FilePart("a.pdf"),
    "a file of both": lambda: FilePart("a.pdf", url="https://x", data=b"x"),
    "a file of no bytes": lambda: FilePart("a.pdf", data=b""),
    "a file without a name": lambda: FilePart("", data=b"x"),
    "a file named by a number": lambda: FilePart(5, data=b"x"),  # type: ignore[arg-type]
    "a file of half a name": lambda: FilePart(HALF_A_PAIR, data=b"x"),
    "a file of this machine": lambda: FilePart("a", url="file:///etc/passwd"),
    "a file by FTP": lambda: FilePart("a", url="ftp://host/a"),
    "a file's url of two lines": lambda: FilePart("a", url="https://x/\r\nHost: y"),
    "a file of no type": lambda: FilePart("a", data=b"x", media_type=""),
    "a file of half a type": lambda: FilePart("a", data=b"x", media_type="pdf"),
    "a file of more than a type": lambda: FilePart("a", data=b"x", media_type="text/plain; q=1"),
    "a thought that is none": lambda: ReasoningPart(None),  # type: ignore[arg-type]
    "a thought of bytes": lambda: ReasoningPart(redacted=b"x"),  # type: ignore[arg-type]
    "a thought of half a pair": lambda: ReasoningPart(HALF_A_PAIR),
    "a signature of half a pair": lambda: ReasoningPart("x", signature=HALF_A_PAIR),
    "thoughts of nothing": lambda: assistant(reasoning=None),  # type: ignore[arg-type]
    "thoughts that are texts": lambda: assistant(reasoning=["hm"]),  # type: ignore[list-item]
    "thoughts that are text": lambda: assistant(reasoning="hm"),  # type: ignore[arg-type]
    "a thought that is no list": lambda: assistant(reasoning=ReasoningPart("hm")),  # type: ignore[arg-type]
    "a thought of the user": lambda: user([ReasoningPart("hm")]),
    "a thought of a tool": lambda: Message(Role.TOOL, ReasoningPart("hm"), tool_call_id="1"),
    "a call by the user": lambda: Message(Role.USER, "x", [ToolCall("1", "f", "{}")]),
    "a call by half an id": lambda: assistant(tool_calls=[ToolCall(HALF_A_PAIR, "f", "{}")]),
    "a call of half a name": lambda: assistant(tool_calls=[ToolCall("1", HALF_A_PAIR, "{}")]),
    "a call of half a signature": lambda: assistant(
        tool_calls=[ToolCall("1", "f", "{}", HALF_A_PAIR)]
    ),
    "a call signed by a number": lambda: ToolCall("1", "f", "{}", 5),  # type: ignore[arg-type]
}


@pytest.mark.parametrize("make", BAD_PARTS.values(), ids=BAD_PARTS)
def test_a_malformed_part_is_refused(make: Callable[[], object]) -> None:
    with pytest.raises(InvalidRequest) as refused:
        make()
    assert refused.value.code == "invalid_message"


def test_thoughts_come_before_what_was_said() -> None:
    thoughts = [ReasoningPart("hm", "signed"), ReasoningPart(redacted="xyz")]
    message = assistant("So.", reasoning=thoughts, tool_calls=[ToolCall("1", "f", "{}")])
    assert message.content == (*thoughts, TextPart("So."))
    assert message.text == "So."
    assert assistant(reasoning=thoughts).content == tuple(thoughts)


@given(TEXTS, st.lists(CALLS, max_size=3), st.lists(THOUGHTS, max_size=3))
def test_an_answer_is_repeated_as_it_was_given(
    text: str, calls: list[ToolCall], thoughts: list[ReasoningPart]
) -> None:
    answer = Completion(text=text, tool_calls=tuple(calls), thoughts=tuple(thoughts), reasoning="x")
    message = answer.as_message()
    assert message == assistant(text, tool_calls=calls, reasoning=thoughts)
    assert (message.role, message.text, message.tool_calls) == (Role.ASSISTANT, text, tuple(calls))
    assert [part for part in message.content if isinstance(part, ReasoningPart)] == thoughts


def test_a_refusal_is_repeated_as_what_was_said() -> None:
    assert Completion(refusal="I won't.").as_message() == assistant("I won't.")
    assert Completion(text="Well.", refusal="No.").as_message() == assistant("Well.")


def test_a_failed_tool_says_so() -> None:
    assert tool_result("1", "no such city", is_error=True).is_error
    assert not tool_result("1", "rain").is_error


@pytest.mark.parametrize(
    "part",
    [
        ImagePart(data=b"hidden" * 100),
        AudioPart(b"hidden" * 100),
        FilePart("a.pdf", data=b"hidden" * 100),
        ReasoningPart("hm", signature="hidden", redacted="hidden"),
        ToolCall("1", "f", "{}", signature="hidden"),
    ],
    ids=lambda part: type(part).__name__,
)
def test_bytes_and_signatures_do_not_fill_the_logs(part: Any) -> None:
    assert "hidden" not in repr(part)
