"""The answers of the chat server, as the bytes that it writes: rendered once, sent many times.

In both formats an answer is a given number of words, one to each chunk of a stream.
"""

import json
from collections.abc import Iterator, Mapping
from functools import cache

from attrs import frozen

INPUT_TOKENS = 11
OPENAI_MODEL = "gpt-4o-mini"
ANTHROPIC_MODEL = "claude-haiku-4-5"
_STREAM_HEAD = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
)


@frozen
class Rendered:
    """One answer: *whole*, and as the *pieces* that a stream is written in."""

    whole: bytes
    pieces: tuple[bytes, ...]


def words(count: int) -> Iterator[str]:
    """Give the words of an answer of *count* chunks; each is one token."""
    return (f"word{number} " for number in range(count))


def text(count: int) -> str:
    """Return the text of an answer of *count* chunks."""
    return "".join(words(count))


def answer(fields: Mapping[str, object]) -> bytes:
    """Write *fields* as a whole answer."""
    body = json.dumps(fields).encode()
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
    return head % len(body) + body


@cache
def openai(count: int) -> Rendered:
    """Render *count* words in the chat-completions format."""
    usage = {
        "prompt_tokens": INPUT_TOKENS,
        "completion_tokens": count,
        "total_tokens": INPUT_TOKENS + count,
    }
    head = {"id": "chatcmpl-1", "created": 1_700_000_000, "model": OPENAI_MODEL}
    message = {"role": "assistant", "content": text(count)}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}

    def events() -> Iterator[bytes]:
        def event(choices: list[object], usage: object = None) -> bytes:
            said = {**head, "object": "chat.completion.chunk", "choices": choices, "usage": usage}
            return b"data: %s\n\n" % json.dumps(said).encode()

        for number, word in enumerate(words(count)):
            delta = {"content": word} if number else {"content": word, "role": "assistant"}
            yield event([{"index": 0, "delta": delta, "finish_reason": None}])
        yield event([{"index": 0, "delta": {}, "finish_reason": "stop"}])
        yield event([], usage)
        yield b"data: [DONE]\n\n"

    whole = answer({**head, "object": "chat.completion", "choices": [choice], "usage": usage})
    return Rendered(whole, _chunked(events()))


@cache
def anthropic(count: int) -> Rendered:
    """Render *count* words in the format of messages."""
    head = {"id": "msg_1", "type": "message", "role": "assistant", "model": ANTHROPIC_MODEL}
    start = {"input_tokens": INPUT_TOKENS, "output_tokens": 1}
    ending = {"stop_reason": "end_turn", "stop_sequence": None}

    def events() -> Iterator[bytes]:
        def event(kind: str, **fields: object) -> bytes:
            said = json.dumps({"type": kind, **fields}).encode()
            return b"event: %s\ndata: %s\n\n" % (kind.encode(), said)

        begun: dict[str, object] = {
            **head,
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "usage": start,
        }
        yield event("message_start", message=begun)
        yield event("content_block_start", index=0, content_block={"type": "text", "text": ""})
        for word in words(count):
            delta = {"type": "text_delta", "text": word}
            yield event("content_block_delta", index=0, delta=delta)
        yield event("content_block_stop", index=0)
        yield event("message_delta", delta=ending, usage={"output_tokens": count})
        yield event("message_stop")

    block = {"type": "text", "text": text(count)}
    usage = {**start, "output_tokens": count}
    whole = answer({**head, "content": [block], **ending, "usage": usage})
    return Rendered(whole, _chunked(events()))


def _chunked(events: Iterator[bytes]) -> tuple[bytes, ...]:
    pieces = [b"%x\r\n%s\r\n" % (len(event), event) for event in events]
    return (_STREAM_HEAD + pieces[0], *pieces[1:-1], pieces[-1] + b"0\r\n\r\n")
