"""A call that is never made: what litellm goes through when it is imported. Pure."""

from collections.abc import AsyncIterator, Coroutine, Mapping
from typing import Any

from tollkeeper.domain.chat import ChatRequest
from tollkeeper.domain.messages import user

REHEARSAL = ChatRequest("rehearsal", [user("Say a.")], 16)
_CHUNK = (
    '{"id": "1", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": '
    '[{"index": 0, "delta": {"role": "assistant", "content": "a"}, "finish_reason": %s}]%s}'
)
_USAGE = ', "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}'
SCORES: Mapping[str, tuple[str, ...]] = {
    "common": ("data: " + _CHUNK % ("null", ""), "data: " + _CHUNK % ('"stop"', _USAGE)),
    "anthropic": (
        'data: {"type": "message_start", "message": {"id": "1", "type": "message", "role": '
        '"assistant", "model": "m", "content": [], "usage": {"input_tokens": 1, '
        '"output_tokens": 1}}}',
        'data: {"type": "content_block_start", "index": 0, "content_block": {"type": "text", '
        '"text": ""}}',
        'data: {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", '
        '"text": "a"}}',
        'data: {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": '
        '{"output_tokens": 1}}',
    ),
    "gemini": (
        'data: {"candidates": [{"content": {"parts": [{"text": "a"}], "role": "model"}, '
        '"finishReason": "STOP", "index": 0}], "usageMetadata": {"promptTokenCount": 1, '
        '"candidatesTokenCount": 1, "totalTokenCount": 2}, "modelVersion": "m"}',
    ),
}


async def recited(lines: tuple[str, ...]) -> AsyncIterator[str]:
    """Yield *lines*, without waiting for anything."""
    for line in lines:
        yield line


def run_at_once(work: Coroutine[Any, Any, Any]) -> Any:
    """Run *work*, which waits for nothing, without a loop."""
    try:
        work.send(None)
    except StopIteration as done:
        return done.value
    work.close()
    return None
