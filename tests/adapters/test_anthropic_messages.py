"""Messages as the turns and blocks of the Messages API."""

import json
from typing import Any

import pytest

from tollkeeper.adapters.anthropic.encoding import encode_request
from tollkeeper.adapters.anthropic.fitting import fitted
from tollkeeper.domain.chat import ChatRequest
from tollkeeper.domain.errors import InvalidRequest
from tollkeeper.domain.messages import (
    FilePart,
    ImagePart,
    Message,
    Part,
    ReasoningPart,
    Role,
    ToolCall,
    assistant,
    system,
    tool_result,
    user,
)

HELLO = user("Hello")


def asking(*messages: Message, **more: Any) -> ChatRequest:
    return ChatRequest("claude", messages or (HELLO,), **{"max_tokens": 4_096, **more})


def written(*messages: Message, **more: Any) -> dict[str, Any]:
    request, warnings = fitted(asking(*messages, **more))
    assert warnings == ()
    body: dict[str, Any] = json.loads(encode_request(request, stream=False))
    return body


def text(said: str) -> dict[str, str]:
    return {"type": "text", "text": said}


def test_system_messages_stand_apart() -> None:
    body = written(system("Be brief."), system("Be kind."), HELLO)
    assert body["system"] == [text("Be brief."), text("Be kind.")]
    assert body["messages"] == [{"role": "user", "content": [text("Hello")]}]


def test_turns_of_one_role_become_one() -> None:
    calls = (ToolCall("a", "now", '{"zone": "UTC"}'), ToolCall("b", "now", ""))
    body = written(
        user("One"),
        user("Two"),
        assistant("Three", tool_calls=calls),
        tool_result("a", "noon"),
        tool_result("b", "no such zone", is_error=True),
        user("Four"),
    )
    assert [turn["role"] for turn in body["messages"]] == ["user", "assistant", "user"]
    assert body["messages"][0]["content"] == [text("One"), text("Two")]
    assert body["messages"][1]["content"] == [
        text("Three"),
        {"type": "tool_use", "id": "a", "name": "now", "input": {"zone": "UTC"}},
        {"type": "tool_use", "id": "b", "name": "now", "input": {}},
    ]
    assert body["messages"][2]["content"] == [
        {"type": "tool_result", "tool_use_id": "a", "content": [text("noon")]},
        {
            "type": "tool_result",
            "tool_use_id": "b",
            "content": [text("no such zone")],
            "is_error": True,
        },
        text("Four"),
    ]


def test_blank_text_is_left_out_as_the_api_refuses_it() -> None:
    calls = (ToolCall("a", "now", "{}"),)
    body = written(HELLO, assistant("\n", tool_calls=calls), tool_result("a", ""))
    assert [block["type"] for block in body["messages"][1]["content"]] == ["tool_use"]
    assert body["messages"][2]["content"] == [{"type": "tool_result", "tool_use_id": "a"}]
    body = written(user("One"), assistant(""), user("Two"))
    assert body["messages"] == [{"role": "user", "content": [text("One"), text("Two")]}]
    with pytest.raises(InvalidRequest):
        written(user(" "))
    with pytest.raises(InvalidRequest):
        written(system("Be brief."))


def test_reasoning_goes_back_before_all_else() -> None:
    thoughts = (ReasoningPart("Hm.", signature="c2ln"), ReasoningPart(redacted="aGlkZGVu"))
    calls = (ToolCall("a", "now", "{}"),)
    said = Message(Role.ASSISTANT, (*assistant("Look:").content, *thoughts), calls)
    (_, turn, _) = written(HELLO, said, tool_result("a", "noon"))["messages"]
    assert turn["content"] == [
        {"type": "thinking", "thinking": "Hm.", "signature": "c2ln"},
        {"type": "redacted_thinking", "data": "aGlkZGVu"},
        text("Look:"),
        {"type": "tool_use", "id": "a", "name": "now", "input": {}},
    ]


def test_reasoning_of_another_provider_is_left_out_with_a_warning() -> None:
    said = assistant("Yes", reasoning=[ReasoningPart("Hm.")])
    request, warnings = fitted(asking(HELLO, said, HELLO))
    assert len(warnings) == 1
    assert "thinking" not in encode_request(request, stream=False).decode()


@pytest.mark.parametrize(
    ("part", "block"),
    [
        (
            ImagePart(url="https://a.example/b.png"),
            {"type": "image", "source": {"type": "url", "url": "https://a.example/b.png"}},
        ),
        (
            ImagePart(data=b"\x00\xff", media_type="image/webp"),
            {
                "type": "image",
                "source": {"type": "base64", "media_type": "image/webp", "data": "AP8="},
            },
        ),
        (
            FilePart("a.pdf", data=b"%PDF"),
            {
                "type": "document",
                "title": "a.pdf",
                "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBERg=="},
            },
        ),
        (
            FilePart("a.pdf", url="https://a.example/a.pdf"),
            {
                "type": "document",
                "title": "a.pdf",
                "source": {"type": "url", "url": "https://a.example/a.pdf"},
            },
        ),
        (
            FilePart("a.txt", data="Grüezi".encode(), media_type="text/plain"),
            {
                "type": "document",
                "title": "a.txt",
                "source": {"type": "text", "media_type": "text/plain", "data": "Grüezi"},
            },
        ),
    ],
    ids=["image-url", "image", "pdf", "pdf-url", "text"],
)
def test_images_and_files_become_blocks(part: Part, block: dict[str, Any]) -> None:
    assert written(user(["Look:", part]))["messages"][0]["content"] == [text("Look:"), block]
    result = Message(Role.TOOL, (part,), tool_call_id="a")
    said = assistant(tool_calls=[ToolCall("a", "now", "{}")])
    content = written(HELLO, said, result)["messages"][2]["content"][0]["content"]
    assert content == [block]
