"""What is asked of a chat model."""

from collections.abc import Iterable, Mapping
from typing import Any, Literal, TypeVar

from attrs import field, frozen

from tollkeeper.domain.checks import checked_unicode
from tollkeeper.domain.errors import InvalidRequest
from tollkeeper.domain.messages import AudioPart, FilePart, ImagePart, Message, Role
from tollkeeper.domain.prompt_cache import PromptCache
from tollkeeper.domain.quirks import NO_QUIRKS, OnUnsupported, Quirks
from tollkeeper.domain.tools import JsonSchema, ResponseFormat, Tool, ToolChoice

ReasoningEffort = Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"]
REASONING_EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
MOST_LOGPROBS = 20

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
    rests on it. *extra* goes to the provider untouched. *quirks* say what is special about the
    model, and *on_unsupported* whether a parameter that it cannot take is refused, or dropped
    with a warning in the answer.
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
    frequency_penalty: float | None = None
    presence_penalty: float | None = None
    parallel_tool_calls: bool | None = None
    """Whether several tools may be called at once; None leaves it to the provider."""
    reasoning_effort: ReasoningEffort | None = None
    reasoning_budget: int | None = None
    """The most tokens to think with, below *max_tokens*."""
    top_logprobs: int | None = None
    """How many alternatives each token is given with; 0 gives the token's own alone."""
    service_tier: str | None = None
    user: str | None = None
    """Names the end user to the provider, for its abuse monitoring."""
    metadata: Mapping[str, str] = field(factory=dict)
    prompt_cache: PromptCache | None = None
    quirks: Quirks = NO_QUIRKS
    on_unsupported: OnUnsupported = "refuse"

    def __attrs_post_init__(self) -> None:
        if not isinstance(self.model, str) or not self.model:
            raise InvalidRequest("model is the provider's name for it")
        if type(self.max_tokens) is not int or self.max_tokens < 1:
            raise InvalidRequest("max_tokens is a whole number, 1 or more")
        for name, least, most in _RANGES:
            value = getattr(self, name)
            if value is not None and not (type(value) in (int, float) and least <= value <= most):
                raise InvalidRequest(f"{name} is between {least} and {most}")
        if self.seed is not None and (type(self.seed) is not int or abs(self.seed) >= 2**63):
            raise InvalidRequest("seed is a whole number of at most 64 bits")
        if not all(isinstance(text, str) and text for text in self.stop):
            raise InvalidRequest("stop is a list of texts")
        for text in self.stop:
            checked_unicode(text, field="stop")
        if not (
            self.response_format in ("text", "json") or isinstance(self.response_format, JsonSchema)
        ):
            raise InvalidRequest("response_format is text, json or a JsonSchema")
        if not isinstance(self.extra, Mapping) or not all(isinstance(k, str) for k in self.extra):
            raise InvalidRequest("extra is a mapping with texts as keys")
        self._check_tools()
        self._check_reasoning()
        self._check_names()

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
        if not isinstance(self.parallel_tool_calls, bool | None):
            raise InvalidRequest("parallel_tool_calls is True, False or None", code="invalid_tool")

    def _check_reasoning(self) -> None:
        if self.reasoning_effort is not None and self.reasoning_effort not in REASONING_EFFORTS:
            raise InvalidRequest(f"reasoning_effort is one of {', '.join(REASONING_EFFORTS)}")
        budget = self.reasoning_budget
        if budget is not None and not (type(budget) is int and 0 < budget < self.max_tokens):
            raise InvalidRequest("reasoning_budget is a whole number above 0 and below max_tokens")
        most = self.top_logprobs
        if most is not None and not (type(most) is int and 0 <= most <= MOST_LOGPROBS):
            raise InvalidRequest(f"top_logprobs is a whole number, 0 to {MOST_LOGPROBS}")

    def _check_names(self) -> None:
        for name in ("service_tier", "user"):
            value = getattr(self, name)
            if value is not None and not (
                isinstance(value, str) and 0 < len(value) <= 256 and value.isprintable()
            ):
                raise InvalidRequest(f"{name} is a text of 1-256 printable characters")
        if not isinstance(self.metadata, Mapping) or not all(
            isinstance(text, str) for pair in self.metadata.items() for text in pair
        ):
            raise InvalidRequest("metadata is a mapping from texts to texts")
        for text in (*self.metadata, *self.metadata.values()):
            checked_unicode(text, field="metadata")
        if self.prompt_cache is not None and not isinstance(self.prompt_cache, PromptCache):
            raise InvalidRequest("prompt_cache is a PromptCache")
        if self.on_unsupported not in ("refuse", "drop"):
            raise InvalidRequest("on_unsupported is refuse or drop")

    @property
    def modalities(self) -> frozenset[str]:
        """What the messages hold beside text: of ``images``, ``audio``, ``files``."""
        found: set[str] = set()
        for message in self.messages:
            for part in message.content:
                if type(part) in _MODALITIES:
                    found.add(_MODALITIES[type(part)])
        return frozenset(found)


_RANGES = (
    ("temperature", 0, 2),
    ("top_p", 0, 1),
    ("frequency_penalty", -2, 2),
    ("presence_penalty", -2, 2),
)
_MODALITIES: Mapping[type, str] = {ImagePart: "images", AudioPart: "audio", FilePart: "files"}
