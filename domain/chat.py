"""What is said to a chat model: messages, tools and the request that carries them."""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from typing import Any, Literal, TypeVar

from attrs import field, frozen

from tollkeeper.domain.checks import checked_json_object, checked_unicode
from tollkeeper.domain.errors import InvalidRequest

_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
_MEDIA_TYPE = re.compile(r"image/[a-z0-9.+-]{1,64}")


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


@frozen
class ImagePart:
    """An image: either a *url* (http, https), or its bytes as *data* with a *media_type*."""

    url: str | None = None
    data: bytes | None = field(default=None, repr=False)
    media_type: str = "image/png"

    def __attrs_post_init__(self) -> None:
        if (self.url is None) == (self.data is None):
            raise InvalidRequest("an image has either a url or data", code="invalid_message")
        if self.url is not None and not (
            isinstance(self.url, str)
            and self.url.isprintable()
            and self.url.startswith(("http://", "https://"))
        ):
            raise InvalidRequest("an image's url starts with https://", code="invalid_message")
        if self.data is not None and not (isinstance(self.data, bytes) and self.data):
            raise InvalidRequest("an image's data is its bytes", code="invalid_message")
        if not isinstance(self.media_type, str) or not _MEDIA_TYPE.fullmatch(self.media_type):
            raise InvalidRequest("an image's media type starts with image/", code="invalid_message")


Part = TextPart | ImagePart


@frozen
class ToolCall:
    """The model asks for the tool *name*; *arguments* is JSON text as the model wrote it."""

    id: str
    name: str
    arguments: str

    def __attrs_post_init__(self) -> None:
        if not all(isinstance(text, str) for text in (self.id, self.name, self.arguments)):
            raise InvalidRequest("a tool call is made of texts", code="invalid_message")

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
    pieces = [content] if isinstance(content, str | TextPart | ImagePart) else content
    if not isinstance(pieces, Sequence) or not all(
        isinstance(piece, str | TextPart | ImagePart) for piece in pieces
    ):
        raise InvalidRequest(
            "content is text, TextPart, ImagePart or a list of them", code="invalid_message"
        )
    return tuple(TextPart(piece) if isinstance(piece, str) else piece for piece in pieces)


def _calls(calls: Sequence[ToolCall]) -> tuple[ToolCall, ...]:
    if not isinstance(calls, Sequence) or not all(isinstance(call, ToolCall) for call in calls):
        raise InvalidRequest("tool_calls are a list of ToolCall", code="invalid_message")
    return tuple(calls)


@frozen
class Message:
    """One turn. *tool_calls* belong to an assistant's, *tool_call_id* to a tool's."""

    role: Role
    content: tuple[Part, ...] = field(default=(), converter=_parts)
    tool_calls: tuple[ToolCall, ...] = field(default=(), converter=_calls)
    tool_call_id: str | None = None

    def __attrs_post_init__(self) -> None:
        if not isinstance(self.role, Role):
            raise InvalidRequest("a message's role is a Role", code="invalid_message")
        for text in (self.tool_call_id or "", *(c.arguments for c in self.tool_calls)):
            checked_unicode(text, field="a tool call", code="invalid_message")

    @property
    def text(self) -> str:
        """All text of the message."""
        return "".join(part.text for part in self.content if isinstance(part, TextPart))


def system(text: str) -> Message:
    """Say *text* as the one who set the model up."""
    return Message(Role.SYSTEM, _parts(text))


def user(content: str | Part | Sequence[str | Part]) -> Message:
    """Say *content* (text, images, or both) as the user."""
    return Message(Role.USER, _parts(content))


def assistant(text: str = "", *, tool_calls: Sequence[ToolCall] = ()) -> Message:
    """Repeat what the model said, and the tools it called."""
    return Message(Role.ASSISTANT, () if text == "" else _parts(text), _calls(tool_calls))


def tool_result(tool_call_id: str, text: str) -> Message:
    """Answer the tool call named *tool_call_id*."""
    return Message(Role.TOOL, _parts(text), tool_call_id=tool_call_id)


@frozen
class Tool:
    """A function that the model may call; *parameters* is a JSON Schema of an object."""

    name: str
    description: str = ""
    parameters: Mapping[str, Any] = field(factory=lambda: {"type": "object", "properties": {}})
    strict: bool = False

    def __attrs_post_init__(self) -> None:
        if not isinstance(self.name, str) or not _NAME.fullmatch(self.name):
            raise InvalidRequest(
                "a tool's name is 1-64 letters, digits, _ and -", code="invalid_tool"
            )
        checked_unicode(self.description, field="a tool's description", code="invalid_tool")
        where = f"parameters of {self.name}"
        checked_json_object(self.parameters, field=where, code="invalid_tool")
        if self.parameters.get("type") != "object":
            raise InvalidRequest(
                f'{where}: a JSON Schema with "type": "object"', code="invalid_tool"
            )


ToolChoice = Literal["auto", "none", "required"]


@frozen
class JsonSchema:
    """Ask for an answer that is JSON of this *schema*."""

    name: str
    schema: Mapping[str, Any]
    strict: bool = True

    def __attrs_post_init__(self) -> None:
        if not isinstance(self.name, str) or not _NAME.fullmatch(self.name):
            raise InvalidRequest("a schema's name is 1-64 letters, digits, _ and -")
        checked_json_object(self.schema, field=f"the schema {self.name}")


ResponseFormat = Literal["text", "json"] | JsonSchema


T = TypeVar("T")


def _tuple(items: Iterable[T]) -> tuple[T, ...]:
    try:
        return tuple(items)
    except TypeError:
        raise InvalidRequest("messages, stop and tools are lists") from None


def _messages(items: Iterable[Message]) -> tuple[Message, ...]:
    return _tuple(items)


def _texts(items: Iterable[str]) -> tuple[str, ...]:
    return _tuple([items] if isinstance(items, str) else items)


def _tools(items: Iterable[Tool]) -> tuple[Tool, ...]:
    return _tuple(items)


def _check_messages(_: object, __: object, messages: tuple[Message, ...]) -> None:
    if not messages:
        raise InvalidRequest("at least one message is needed", code="invalid_message")
    for message in messages:
        if not isinstance(message, Message):
            raise InvalidRequest(
                "messages are made with user(), system(), assistant() and tool_result()",
                code="invalid_message",
            )
        if message.role is Role.TOOL and not message.tool_call_id:
            raise InvalidRequest("a tool's message needs a tool_call_id", code="invalid_message")


@frozen
class ChatRequest:
    """What is asked of a model; *model* is the provider's own name for it.

    *max_tokens* bounds what is written, reasoning included; it is always sent, because the hold
    rests on it. *extra* goes to the provider untouched.
    """

    model: str
    messages: tuple[Message, ...] = field(converter=_messages, validator=_check_messages)
    max_tokens: int
    temperature: float | None = None
    top_p: float | None = None
    stop: tuple[str, ...] = field(default=(), converter=_texts)
    seed: int | None = None
    tools: tuple[Tool, ...] = field(default=(), converter=_tools)
    tool_choice: ToolChoice | str = "auto"
    """``auto``, ``none``, ``required``, or the name of the one tool to call."""
    response_format: ResponseFormat = "text"
    extra: Mapping[str, Any] = field(factory=dict)

    def __attrs_post_init__(self) -> None:
        if not isinstance(self.model, str) or not self.model:
            raise InvalidRequest("model is the provider's name for it")
        if type(self.max_tokens) is not int or self.max_tokens < 1:
            raise InvalidRequest("max_tokens is a whole number, 1 or more")
        for name, value, most in (("temperature", self.temperature, 2), ("top_p", self.top_p, 1)):
            if value is not None and not (type(value) in (int, float) and 0 <= value <= most):
                raise InvalidRequest(f"{name} is between 0 and {most}")
        if self.seed is not None and (type(self.seed) is not int or abs(self.seed) >= 2**63):
            raise InvalidRequest("seed is a whole number of at most 64 bits")
        if not all(isinstance(text, str) and text for text in self.stop):
            raise InvalidRequest("stop is a list of texts")
        if not (
            self.response_format in ("text", "json") or isinstance(self.response_format, JsonSchema)
        ):
            raise InvalidRequest("response_format is text, json or a JsonSchema")
        if not isinstance(self.extra, Mapping) or not all(isinstance(k, str) for k in self.extra):
            raise InvalidRequest("extra is a mapping with texts as keys")
        self._check_tools()

    def _check_tools(self) -> None:
        if not all(isinstance(tool, Tool) for tool in self.tools):
            raise InvalidRequest("tools are Tool objects", code="invalid_tool")
        names = [tool.name for tool in self.tools]
        if len(set(names)) != len(names):
            raise InvalidRequest("two tools have the same name", code="invalid_tool")
        if self.tool_choice not in ("auto", "none", "required", *names):
            raise InvalidRequest(
                "tool_choice is auto, none, required or the name of a tool", code="invalid_tool"
            )
