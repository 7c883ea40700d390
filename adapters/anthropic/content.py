"""Messages as the turns and blocks of the Messages API. Pure."""

import base64
from collections.abc import Collection
from typing import Any

from tollkeeper.domain.errors import InvalidRequest, Unsupported
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
)

Block = dict[str, Any]
IMAGES = ("image/jpeg", "image/png", "image/gif", "image/webp")


def turns(
    messages: tuple[Message, ...], marked: Collection[int], mark: Block
) -> tuple[list[Block], list[Block]]:
    """Write *messages* as the blocks of ``system`` and the ``messages``.

    Turns of one role that follow one another become one. The last block of each message whose
    place is in *marked* bears *mark* as its ``cache_control``.

    Raises:
        Unsupported: the API cannot express a message.
        InvalidRequest: a message says nothing, or calls a tool with what is no JSON.
    """
    system: list[Block] = []
    said: list[Block] = []
    leading = True
    for place, message in enumerate(messages):
        leading = leading and message.role is Role.SYSTEM
        if message.role is Role.SYSTEM and not leading:
            raise Unsupported("a system message comes before all others, or it is not taken")
        blocks = _blocks(message)
        if blocks and place in marked:
            blocks[-1]["cache_control"] = mark
        if leading:
            system += blocks
            continue
        role = "assistant" if message.role is Role.ASSISTANT else "user"
        if said and said[-1]["role"] == role:
            said[-1]["content"] += blocks
        elif blocks:
            said.append({"role": role, "content": blocks})
    if not said:
        raise InvalidRequest("at least one user's message is needed", code="invalid_message")
    return system, said


def _blocks(message: Message) -> list[Block]:
    if message.tool_call_id is not None and message.role is not Role.TOOL:
        raise Unsupported("a tool_call_id belongs to a tool's message")
    # The API refuses blank text, which models themselves write before they call a tool.
    parts = [p for p in message.content if not (isinstance(p, TextPart) and not p.text.strip())]
    if message.role in (Role.SYSTEM, Role.ASSISTANT):
        return _spoken(message, parts)
    blocks = [_part(part) for part in parts]
    if message.role is Role.TOOL:
        return [_result(message, blocks)]
    if not blocks:
        raise InvalidRequest("a user's message says nothing", code="invalid_message")
    return blocks


def _spoken(message: Message, parts: list[Part]) -> list[Block]:
    """Write what is text, reasoning and tool calls alone; reasoning stands first."""
    thoughts: list[Block] = []
    texts: list[Block] = []
    for part in parts:
        if isinstance(part, TextPart):
            texts.append({"type": "text", "text": part.text})
        elif isinstance(part, ReasoningPart) and message.role is Role.ASSISTANT:
            thoughts += _thought(part)
        else:
            raise Unsupported("only a user's or a tool's message can hold images and files")
    return thoughts + texts + [_call(call) for call in message.tool_calls]


def _thought(part: ReasoningPart) -> list[Block]:
    if part.redacted:
        return [{"type": "redacted_thinking", "data": part.redacted}]
    if part.signature:
        return [{"type": "thinking", "thinking": part.text, "signature": part.signature}]
    return []


def _call(call: ToolCall) -> Block:
    arguments = call.parsed_arguments()
    return {"type": "tool_use", "id": call.id, "name": call.name, "input": arguments}


def _result(message: Message, blocks: list[Block]) -> Block:
    result: Block = {"type": "tool_result", "tool_use_id": message.tool_call_id}
    if blocks:
        result["content"] = blocks
    if message.is_error:
        result["is_error"] = True
    return result


def _part(part: Part) -> Block:
    if isinstance(part, TextPart):
        return {"type": "text", "text": part.text}
    if isinstance(part, ImagePart):
        return {"type": "image", "source": _image_source(part)}
    if isinstance(part, FilePart):
        return {"type": "document", "title": part.name, "source": _file_source(part)}
    if isinstance(part, AudioPart):
        raise Unsupported("the provider takes no sound")
    raise Unsupported("reasoning belongs to an assistant's message")


def _image_source(part: ImagePart) -> Block:
    if part.data is None:
        return {"type": "url", "url": part.url}
    if part.media_type not in IMAGES:
        raise Unsupported(f"the provider takes images of the types {', '.join(IMAGES)}")
    return {"type": "base64", "media_type": part.media_type, "data": _base64(part.data)}


def _file_source(part: FilePart) -> Block:
    if part.media_type == "application/pdf":
        if part.data is None:
            return {"type": "url", "url": part.url}
        return {"type": "base64", "media_type": part.media_type, "data": _base64(part.data)}
    if part.media_type != "text/plain" or part.data is None:
        raise Unsupported(
            "the provider takes files of the type application/pdf, or text/plain as data"
        )
    try:
        text = part.data.decode()
    except UnicodeDecodeError as error:
        raise InvalidRequest("a file of text is not in UTF-8", code="invalid_message") from error
    return {"type": "text", "media_type": part.media_type, "data": text}


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")
