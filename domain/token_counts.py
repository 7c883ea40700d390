"""Counting tokens without a tokenizer: an upper bound before a call, an estimate after one.

A byte-level tokenizer makes at most one token of each UTF-8 byte, so the number of bytes bounds
the number of tokens from above; English text has about four bytes a token.
"""

import json
from collections.abc import Iterable

from tollkeeper.domain.chat import ChatRequest
from tollkeeper.domain.completions import Completion, TokenUsage
from tollkeeper.domain.messages import ImagePart, Message
from tollkeeper.domain.tools import JsonSchema

TOKENS_AROUND_A_MESSAGE = 8
"""What a provider's template adds to each message, generously."""
LARGEST_IMAGE_TOKENS = 50_000
"""What one image counts as at most: some models count a large image as 48 000 tokens."""
_ESTIMATED_IMAGE_TOKENS = 765
_BYTES_PER_TOKEN = 4


def _size(*texts: str) -> int:
    # What a model wrote may hold half of a surrogate pair; it is counted all the same.
    return sum(len(text.encode("utf-8", "surrogatepass")) for text in texts)


def _bytes_of(message: Message) -> int:
    calls = sum(_size(c.id, c.name, c.arguments) for c in message.tool_calls)
    return _size(message.text, message.tool_call_id or "") + calls


def _bytes_around(request: ChatRequest) -> int:
    """Bytes that are read beside the messages: the tools and the schema of the answer."""
    # What goes to the provider untouched may be read by the model too.
    size = _size(json.dumps(dict(request.extra), default=repr)) if request.extra else 0
    for tool in request.tools:
        size += _size(tool.name, tool.description, json.dumps(dict(tool.parameters)))
    if isinstance(request.response_format, JsonSchema):
        schema = json.dumps(dict(request.response_format.schema))
        size += _size(request.response_format.name, schema)
    return size


def _images(messages: Iterable[Message]) -> int:
    return sum(isinstance(part, ImagePart) for message in messages for part in message.content)


def bound_input_tokens(request: ChatRequest) -> int:
    """The most tokens that *request* can count as, whatever the tokenizer."""
    text = sum(TOKENS_AROUND_A_MESSAGE + _bytes_of(message) for message in request.messages)
    tools = _bytes_around(request) + TOKENS_AROUND_A_MESSAGE * len(request.tools)
    return text + tools + LARGEST_IMAGE_TOKENS * _images(request.messages)


def _tokens(size: int) -> int:
    return -(-size // _BYTES_PER_TOKEN)


def estimate_usage(request: ChatRequest, seen: Completion) -> TokenUsage:
    """Estimate what a provider that did not say so counted, from what was sent and *seen*."""
    sent = sum(_bytes_of(message) for message in request.messages) + _bytes_around(request)
    calls = sum(_size(c.name, c.arguments) for c in seen.tool_calls)
    output = min(_tokens(_size(seen.text, seen.refusal) + calls), request.max_tokens)
    return TokenUsage(
        input=_tokens(sent) + _ESTIMATED_IMAGE_TOKENS * _images(request.messages),
        output=output,
        # max_tokens bounds both together, and the hold rests on it.
        reasoning=min(_tokens(_size(seen.reasoning)), request.max_tokens - output),
    )
