"""Counting tokens: an upper bound before a call, an estimate where the provider did not say.

A byte-level tokenizer makes at most one token of each UTF-8 byte, so the number of bytes bounds
the number of tokens from above; English text has about four bytes a token. Where the provider's
own tokenizer is at hand, it counts the text, and only what stands around it is bounded.
"""

import json
from collections.abc import Callable, Mapping
from types import MappingProxyType

from tollkeeper.domain.chat import ChatRequest
from tollkeeper.domain.completions import Completion, TokenUsage
from tollkeeper.domain.embeddings import EmbeddingRequest
from tollkeeper.domain.messages import (
    AudioPart,
    FilePart,
    ImagePart,
    Message,
    Part,
    ReasoningPart,
    TextPart,
)
from tollkeeper.domain.tools import JsonSchema

Count = Callable[[str], int | None]
"""Counts the tokens of a text; None where it cannot tell."""

TOKENS_AROUND_A_MESSAGE = 8
"""What a provider's template adds to each message, generously."""
TOKENS_AROUND_A_CALL = 24
"""What a template writes around each call that goes back: tags and JSON around it have 16."""
PUBLISHED_TOOL_PROMPTS: Mapping[str, int] = MappingProxyType(
    {
        # https://platform.claude.com/docs/en/agents-and-tools/tool-use/overview, the dearest of its
        # table: Claude Opus 4.7 where the choice is "any" or "tool". The others have 264 to 589.
        "anthropic": 804,
        # litellm 1.110.2, litellm_core_utils/token_counter.py, checked against what OpenAI charged:
        # 9 around all functions, and 7 where the choice names one.
        "openai": 16,
        # litellm 1.110.2, prompt_templates/chat_template_tools.py: the templates of open models.
        "deepseek": 222,
        "qwen": 201,
        "xai": 0,
    }
)
"""What providers, or the templates of their models, are known to add once to explain how tools
are called, in tokens. Google publishes none."""
TOKENS_AROUND_TOOLS = 1_024
"""What is added once at most: more than all that is published, for models of which nothing is.

An answer in a schema may cost it too: some models are given the schema as a tool."""
TOKENS_AROUND_A_TOOL = 40
"""What a template writes around each tool, or a schema, at most: JSON over several lines has 31."""
LARGEST_IMAGE_TOKENS = 50_000
"""What one image counts as at most: some models count a large image as 48 000 tokens."""
LARGEST_FILE_TOKENS = 200_000
"""What a document that is given by its address counts as at most."""
_CHOICES = frozenset({"auto", "none", "required"})
_ESTIMATED_IMAGE_TOKENS = 765
_BYTES_PER_TOKEN = 4
_AUDIO_BYTES_PER_TOKEN = {"wav": 200}
"""No provider counts more than 32 tokens a second; 8 kHz at 8 bits has 8 000 bytes in one."""
_COMPRESSED_AUDIO_BYTES_PER_TOKEN = 16


def _size(*texts: str) -> int:
    # What a model wrote may hold half of a surrogate pair; it is counted all the same.
    return sum(len(text.encode("utf-8", "surrogatepass")) for text in texts)


def _bytes_of(message: Message) -> int:
    """Bytes of text in *message*."""
    size = _size(message.tool_call_id or "")
    for part in message.content:
        if isinstance(part, TextPart):
            size += len(part.text.encode("utf-8", "surrogatepass"))
        elif isinstance(part, ReasoningPart):
            size += _size(part.text, part.signature, part.redacted)
    for call in message.tool_calls:
        size += _size(call.id, call.name, call.arguments, call.signature)
    return size


def _counted(message: Message, count: Count) -> int | None:
    """Tokens of *message*'s text by *count*; what is no plain text is bounded by its bytes."""
    total = 0
    for part in message.content:
        if isinstance(part, TextPart):
            tokens = count(part.text)
            if tokens is None:
                return None
            total += tokens
    plain = sum(_size(part.text) for part in message.content if isinstance(part, TextPart))
    return total + _bytes_of(message) - plain


def _bytes_around(request: ChatRequest) -> int:
    """Bytes that are read beside the messages: the tools and the schema of the answer."""
    # What goes to the provider untouched may be read by the model too.
    size = _size(json.dumps(dict(request.extra), default=repr)) if request.extra else 0
    for tool in request.tools:
        size += _size(tool.name, tool.description, json.dumps(dict(tool.parameters)))
    if request.tools and request.tool_choice not in _CHOICES:
        size += _size(request.tool_choice)
    if isinstance(request.response_format, JsonSchema):
        schema = json.dumps(dict(request.response_format.schema))
        size += _size(request.response_format.name, schema)
    return size


def _bound_of(part: Part) -> int:
    """The most tokens that *part* counts as, beside its text."""
    if isinstance(part, ImagePart):
        return LARGEST_IMAGE_TOKENS
    if isinstance(part, AudioPart):
        per_token = _AUDIO_BYTES_PER_TOKEN.get(part.format, _COMPRESSED_AUDIO_BYTES_PER_TOKEN)
        return -(-len(part.data) // per_token)
    if isinstance(part, FilePart):
        return max(len(part.data or b""), LARGEST_FILE_TOKENS)
    return 0


def _attachments(request: ChatRequest) -> int:
    return sum(_bound_of(part) for message in request.messages for part in message.content)


def bound_input_tokens(
    request: ChatRequest, *, count: Count | None = None, window: int | None = None
) -> int:
    """The most tokens that *request* can count as, whatever the tokenizer.

    *count* is the provider's own tokenizer, where it is at hand; *window* is the model's, which
    bounds what it can read at all.
    """
    total = TOKENS_AROUND_A_MESSAGE * len(request.messages)
    for message in request.messages:
        total += TOKENS_AROUND_A_CALL * len(message.tool_calls)
        counted = None if count is None else _counted(message, count)
        total += _bytes_of(message) if counted is None else counted
    if request.tools or request.extra or request.response_format != "text":
        total += _bytes_around(request)
    schema = isinstance(request.response_format, JsonSchema)
    if request.tools or schema:
        total += TOKENS_AROUND_TOOLS + TOKENS_AROUND_A_TOOL * (len(request.tools) + schema)
    total += _attachments(request)
    return total if window is None else min(total, window)


def bound_embedded_tokens(request: EmbeddingRequest, *, count: Count | None = None) -> int:
    """The most tokens that the texts of *request* can count as."""
    total = 0
    for text in request.texts:
        counted = None if count is None else count(text)
        total += _size(text) + TOKENS_AROUND_A_MESSAGE if counted is None else counted
    return total


def _tokens(size: int) -> int:
    return -(-size // _BYTES_PER_TOKEN)


def estimate_usage(request: ChatRequest, seen: Completion) -> TokenUsage:
    """Estimate what a provider that did not say so counted, from what was sent and *seen*."""
    sent = sum(_bytes_of(message) for message in request.messages) + _bytes_around(request)
    calls = sum(_size(c.name, c.arguments) for c in seen.tool_calls)
    output = min(_tokens(_size(seen.text, seen.refusal) + calls), request.max_tokens)
    return TokenUsage(
        input=min(_tokens(sent) + _estimated_attachments(request), bound_input_tokens(request)),
        output=output,
        # max_tokens bounds both together, and the hold rests on it.
        reasoning=min(_tokens(_size(seen.reasoning)), request.max_tokens - output),
    )


def _estimated_attachments(request: ChatRequest) -> int:
    parts = [part for message in request.messages for part in message.content]
    images = sum(isinstance(part, ImagePart) for part in parts)
    others = sum(_bound_of(p) for p in parts if isinstance(p, AudioPart | FilePart))
    return _ESTIMATED_IMAGE_TOKENS * images + others // _BYTES_PER_TOKEN


def estimate_embedded_tokens(request: EmbeddingRequest) -> int:
    """Estimate what a provider that did not say so counted."""
    return _tokens(_size(*request.texts))
