"""What the offline model says to a request: the same to the same. Pure: no clock, no chance."""

import json
import re
from collections.abc import Mapping
from typing import Any

from attrs import frozen

from tollkeeper.adapters.offline.behaviour import ADAPTER, PORT
from tollkeeper.adapters.offline.instances import instance_of
from tollkeeper.domain.chat import ChatRequest
from tollkeeper.domain.completions import Delta, FinishReason, TokenUsage, ToolCallDelta
from tollkeeper.domain.errors import Rejected
from tollkeeper.domain.messages import (
    AudioPart,
    FilePart,
    ImagePart,
    Message,
    ReasoningPart,
    Role,
)
from tollkeeper.domain.tools import JsonSchema, Tool

_PIECE = re.compile(r"\s*\S+(?:\s+\Z)?|\s+")
_WORD = re.compile(r"\w+")
_SEEN = (ImagePart, AudioPart, FilePart)


@frozen
class Script:
    """One answer, a delta a word, and how it ends; a thought is given whole after its words."""

    deltas: tuple[Delta, ...]
    finish_reason: FinishReason
    usage: TokenUsage


def script_for(
    request: ChatRequest, *, long: int | None = None, thinks: int | None = None
) -> Script:
    """Write the answer to *request*; with *long*, that many words instead of an echo.

    With *thinks*, as many words of reasoning come first, but no more than the budget. One word
    counts as one token, and so does an image, a sound or a file.
    """
    calls = _calls(request)
    if calls:
        words = [word for number, call in enumerate(calls) for word in _call_words(number, call)]
        reason = FinishReason.TOOL_CALLS
    else:
        text = _cut_at_stop(_text(request, long), request.stop)
        words = [Delta(text=piece) for piece in pieces_of(text)]
        reason = FinishReason.STOP
    thoughts = _thoughts(request, thinks or 0)
    left = request.max_tokens - len(thoughts)
    if len(words) > left:
        words, reason = words[:left], FinishReason.LENGTH
    deltas = [Delta(reasoning=piece) for piece in thoughts]
    if thoughts:
        deltas.append(Delta(thought=ReasoningPart("".join(thoughts))))
    usage = TokenUsage(
        input=sum(map(_size, request.messages)), output=len(words), reasoning=len(thoughts)
    )
    return Script((*deltas, *words), reason, usage)


def _thoughts(request: ChatRequest, count: int) -> list[str]:
    """Think *count* words, as far as the effort, the budget and the bound allow."""
    if request.reasoning_effort == "none":
        return []
    most = min(count, request.max_tokens, request.reasoning_budget or count)
    words = f"The user says: {_last_said(request).text}".split()
    return [f"{'' if place == 0 else ' '}{words[place % len(words)]}" for place in range(most)]


def pieces_of(text: str) -> list[str]:
    """Split *text* into words; the pieces add up to it."""
    return _PIECE.findall(text)


def _size(message: Message) -> int:
    images = sum(isinstance(part, _SEEN) for part in message.content)
    calls = sum(len(f"{call.name} {call.arguments}".split()) for call in message.tool_calls)
    return len(message.text.split()) + images + calls


def _last_said(request: ChatRequest) -> Message:
    return next(
        (m for m in reversed(request.messages) if m.role is Role.USER), request.messages[-1]
    )


def _text(request: ChatRequest, long: int | None) -> str:
    prompt = _last_said(request)
    text = prompt.text
    if request.messages[-1].role is Role.TOOL:
        text = " ".join(m.text for m in _results(request.messages))
    elif long is not None:
        text = " ".join(str(number) for number in range(1, long + 1))
    wanted = request.response_format
    if isinstance(wanted, JsonSchema):
        return json.dumps(_instance(wanted.schema, text), ensure_ascii=False)
    images = [_seen(part) for part in prompt.content if isinstance(part, _SEEN)]
    text = " ".join([*images, text])
    text = text if text.strip() else "(nothing was said)"
    return json.dumps({"answer": text}, ensure_ascii=False) if wanted == "json" else text


def _instance(schema: Mapping[str, Any], prompt: str) -> object:
    try:
        return instance_of(schema, prompt)
    except (TypeError, ValueError, AttributeError, LookupError) as error:
        raise Rejected("a JSON schema cannot be read", port=PORT, adapter=ADAPTER) from error


def _results(messages: tuple[Message, ...]) -> list[Message]:
    """Return the tools' messages that nobody answered yet."""
    found: list[Message] = []
    for message in reversed(messages):
        if message.role is not Role.TOOL:
            break
        found.insert(0, message)
    return found


def _seen(part: ImagePart | AudioPart | FilePart) -> str:
    if isinstance(part, AudioPart):
        return f"[audio: {part.format}, {len(part.data)} bytes]"
    kind = "image" if isinstance(part, ImagePart) else "file"
    if part.data is not None:
        return f"[{kind}: {part.media_type}, {len(part.data)} bytes]"
    return f"[{kind}: by its address]"


def _cut_at_stop(text: str, stop: tuple[str, ...]) -> str:
    places = [place for place in (text.find(word) for word in stop if word) if place >= 0]
    return text[: min(places)] if places else text


@frozen
class _Call:
    id: str
    tool: Tool
    arguments: str


def _calls(request: ChatRequest) -> list[_Call]:
    """Call the tools that the last user's prompt asks for, or that must be called."""
    choice = request.tool_choice
    if not request.tools or choice == "none" or request.messages[-1].role is Role.TOOL:
        return []
    prompt = _last_said(request).text
    if choice in ("auto", "required"):
        chosen = [tool for tool in request.tools if _asked_for(tool, prompt)]
        if not chosen and choice == "required":
            chosen = [request.tools[0]]
    else:
        chosen = [tool for tool in request.tools if tool.name == choice]
    if request.parallel_tool_calls is False:
        chosen = chosen[:1]
    before = sum(len(message.tool_calls) for message in request.messages)
    return [
        _Call(
            id=f"call_{before + number}",
            tool=tool,
            arguments=json.dumps(_arguments(tool, prompt), ensure_ascii=False),
        )
        for number, tool in enumerate(chosen, start=1)
    ]


def _arguments(tool: Tool, prompt: str) -> object:
    # The name itself is no argument: "use get_weather" speaks of no place called get_weather.
    return _instance(
        tool.parameters, re.sub(re.escape(tool.name), " ", prompt, flags=re.IGNORECASE)
    )


def _asked_for(tool: Tool, prompt: str) -> bool:
    """Say whether *prompt* names the tool, or all words of its name but the verb in front."""
    said = prompt.lower()
    name = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", tool.name).lower()
    words = [word for word in re.split(r"[_-]+", name) if word]
    spoken = set(_WORD.findall(said))
    return tool.name.lower() in said or (bool(words) and set(words[1:] or words) <= spoken)


def _call_words(number: int, call: _Call) -> list[Delta]:
    """Say a call in deltas: its id and name with the first piece of the arguments."""
    first, *rest = pieces_of(call.arguments)
    begin = ToolCallDelta(number, call.id, call.tool.name, first)
    return [Delta(tool_calls=(begin,))] + [
        Delta(tool_calls=(ToolCallDelta(number, arguments=piece),)) for piece in rest
    ]
