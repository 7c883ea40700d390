"""What is said to a chat model: messages, and the parts they are made of."""

import json
import re
from collections.abc import Sequence
from enum import StrEnum
from typing import Any

from attrs import field, frozen

from tollkeeper.domain.checks import checked_unicode
from tollkeeper.domain.errors import InvalidRequest

_MEDIA_TYPE = re.compile(r"[a-z]+/[a-z0-9.+-]{1,100}")
_AUDIO_FORMATS = ("wav", "mp3", "flac", "ogg", "m4a", "webm")


def _invalid(text: str) -> InvalidRequest:
    return InvalidRequest(text, code="invalid_message")


class Role(StrEnum):
    """Who speaks."""

    SYSTEM = "system"
    USER = "user"
    ASSISTANT = "assistant"
    TOOL = "tool"


@frozen
class TextPart:
    """A piece of text."""

    text: str

    def __attrs_post_init__(self) -> None:
        checked_unicode(self.text, field="the text of a message", code="invalid_message")


def _check_source(what: str, url: object, data: object, media_type: object) -> None:
    """Check that there is either a usable *url*, or *data* with a *media_type*."""
    if (url is None) == (data is None):
        raise _invalid(f"{what} has either a url or data")
    if url is not None and not (
        isinstance(url, str) and url.isprintable() and url.startswith(("http://", "https://"))
    ):
        raise _invalid(f"{what}'s url starts with https://")
    if data is not None and not (isinstance(data, bytes) and data):
        raise _invalid(f"{what}'s data is its bytes")
    if not isinstance(media_type, str) or not _MEDIA_TYPE.fullmatch(media_type):
        raise _invalid(f"{what}'s media type reads like application/pdf")


@frozen
class ImagePart:
    """An image: either a *url* (http, https), or its bytes as *data* with a *media_type*."""

    url: str | None = None
    data: bytes | None = field(default=None, repr=False)
    media_type: str = "image/png"

    def __attrs_post_init__(self) -> None:
        _check_source("an image", self.url, self.data, self.media_type)
        if not self.media_type.startswith("image/"):
            raise _invalid("an image's media type starts with image/")


@frozen
class AudioPart:
    """Recorded sound as its bytes; *format* is ``wav``, ``mp3``, ``flac``, ``ogg``, …"""

    data: bytes = field(repr=False)
    format: str = "wav"

    def __attrs_post_init__(self) -> None:
        if not isinstance(self.data, bytes) or not self.data:
            raise _invalid("a sound's data is its bytes")
        if self.format not in _AUDIO_FORMATS:
            raise _invalid(f"a sound's format is one of {', '.join(_AUDIO_FORMATS)}")


@frozen
class FilePart:
    """A document: either a *url*, or its bytes as *data* with a *media_type*, and its *name*."""

    name: str
    url: str | None = None
    data: bytes | None = field(default=None, repr=False)
    media_type: str = "application/pdf"

    def __attrs_post_init__(self) -> None:
        _check_source("a file", self.url, self.data, self.media_type)
        checked_unicode(self.name, field="a file's name", code="invalid_message")
        if not self.name:
            raise _invalid("a file needs a name")


@frozen
class ReasoningPart:
    """What the model thought, given back to it unchanged: it belongs to an assistant's message.

    *signature* is the provider's proof that the *text* is its own. *redacted* holds what the
    provider does not show.
    """

    text: str = ""
    signature: str = field(default="", repr=False)
    redacted: str = field(default="", repr=False)

    def __attrs_post_init__(self) -> None:
        for text in (self.text, self.signature, self.redacted):
            checked_unicode(text, field="reasoning", code="invalid_message")


Part = TextPart | ImagePart | AudioPart | FilePart | ReasoningPart
_PARTS = (TextPart, ImagePart, AudioPart, FilePart, ReasoningPart)


@frozen
class ToolCall:
    """The model asks for the tool *name*; *arguments* is JSON text as the model wrote it.

    *signature* is what some providers want back with the call, unchanged.
    """

    id: str
    name: str
    arguments: str
    signature: str = field(default="", repr=False)

    def __attrs_post_init__(self) -> None:
        texts = (self.id, self.name, self.arguments, self.signature)
        if not all(isinstance(text, str) for text in texts):
            raise _invalid("a tool call is made of texts")

    def parsed_arguments(self) -> dict[str, Any]:
        """Read the arguments as a JSON object.

        Raises:
            InvalidRequest: the model wrote something else (code ``invalid_tool_arguments``).
        """
        try:
            value = json.loads(self.arguments or "{}")
        except (ValueError, RecursionError):
            value = None
        if not isinstance(value, dict):
            raise InvalidRequest(
                f"the model called {self.name} with arguments that are no JSON object",
                code="invalid_tool_arguments",
            )
        return value


def _parts(content: str | Part | Sequence[str | Part]) -> tuple[Part, ...]:
    pieces = [content] if isinstance(content, (str, *_PARTS)) else content
    if not isinstance(pieces, Sequence) or not all(
        isinstance(piece, (str, *_PARTS)) for piece in pieces
    ):
        raise _invalid(
            "content is text, TextPart, ImagePart, AudioPart, FilePart or a list of them"
        )
    return tuple(TextPart(piece) if isinstance(piece, str) else piece for piece in pieces)


def _calls(calls: Sequence[ToolCall]) -> tuple[ToolCall, ...]:
    if not isinstance(calls, Sequence) or not all(isinstance(call, ToolCall) for call in calls):
        raise _invalid("tool_calls are a list of ToolCall")
    return tuple(calls)


@frozen
class Message:
    """One turn. *tool_calls* belong to an assistant's, *tool_call_id* to a tool's.

    *is_error* says that the tool failed and its content says how.
    """

    role: Role
    content: tuple[Part, ...] = field(default=(), converter=_parts)
    tool_calls: tuple[ToolCall, ...] = field(default=(), converter=_calls)
    tool_call_id: str | None = None
    is_error: bool = False

    def __attrs_post_init__(self) -> None:
        if not isinstance(self.role, Role):
            raise _invalid("a message's role is a Role")
        if self.role is not Role.ASSISTANT and (
            self.tool_calls or any(isinstance(part, ReasoningPart) for part in self.content)
        ):
            raise _invalid("tool calls and reasoning belong to an assistant's message")
        checked_unicode(self.tool_call_id or "", field="a tool call", code="invalid_message")
        for call in self.tool_calls:
            for text in (call.id, call.name, call.arguments, call.signature):
                checked_unicode(text, field="a tool call", code="invalid_message")

    @property
    def text(self) -> str:
        """All text of the message."""
        return "".join(part.text for part in self.content if isinstance(part, TextPart))


def system(text: str) -> Message:
    """Say *text* as the one who set the model up."""
    return Message(Role.SYSTEM, _parts(text))


def user(content: str | Part | Sequence[str | Part]) -> Message:
    """Say *content* (text, images, sound, files, or several of them) as the user."""
    return Message(Role.USER, _parts(content))


def assistant(
    text: str = "",
    *,
    tool_calls: Sequence[ToolCall] = (),
    reasoning: Sequence[ReasoningPart] = (),
) -> Message:
    """Repeat what the model said and thought, and the tools it called."""
    if not isinstance(reasoning, Sequence) or not all(
        isinstance(part, ReasoningPart) for part in reasoning
    ):
        raise _invalid("reasoning is a list of ReasoningPart")
    said = () if text == "" else _parts(text)
    return Message(Role.ASSISTANT, (*reasoning, *said), _calls(tool_calls))


def tool_result(tool_call_id: str, text: str, *, is_error: bool = False) -> Message:
    """Answer the tool call named *tool_call_id*."""
    return Message(Role.TOOL, _parts(text), tool_call_id=tool_call_id, is_error=is_error)
