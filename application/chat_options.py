"""What may be asked of a completion beside its messages."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, TypedDict

from tollkeeper.domain.chat import ReasoningEffort
from tollkeeper.domain.credentials import Credential
from tollkeeper.domain.errors import InvalidRequest
from tollkeeper.domain.money import Money
from tollkeeper.domain.prompt_cache import PromptCache
from tollkeeper.domain.quirks import OnUnsupported
from tollkeeper.domain.tools import ResponseFormat, Tool, ToolChoice


class CallOptions(TypedDict, total=False):
    """How a call is made, whatever it asks.

    *timeout* bounds the whole call, its retries and fallbacks included; *idempotency_key* makes
    it charged once at most. *fallbacks* are the models to ask when the first is out of order
    (None: those of the settings). *hedge_after* asks a second time when nothing came by then, and
    takes what is faster. *credentials* are the caller's own: given a list, no other is used
    (None: the house's). *most_cost* refuses a call that may cost more. *cache* set to False asks
    anew, whatever was answered before.
    """

    idempotency_key: str | None
    timeout: timedelta | None
    fallbacks: Sequence[str] | None
    hedge_after: timedelta | None
    credentials: Sequence[Credential] | None
    most_cost: Money | None
    cache: bool


class ChatOptions(CallOptions, total=False):
    """What may be asked of a completion; see :class:`~tollkeeper.domain.chat.ChatRequest`."""

    max_tokens: int | None
    temperature: float | None
    top_p: float | None
    stop: Sequence[str]
    seed: int | None
    frequency_penalty: float | None
    presence_penalty: float | None
    tools: Sequence[Tool]
    tool_choice: ToolChoice | str
    parallel_tool_calls: bool | None
    response_format: ResponseFormat
    reasoning_effort: ReasoningEffort | None
    reasoning_budget: int | None
    top_logprobs: int | None
    service_tier: str | None
    user: str | None
    metadata: Mapping[str, str]
    prompt_cache: PromptCache | None
    on_unsupported: OnUnsupported
    extra: Mapping[str, Any]


OF_THE_CALL = frozenset(CallOptions.__annotations__)
"""The options that are not the model's business."""
OF_A_CHAT = frozenset(ChatOptions.__annotations__)


def check_options(options: Mapping[str, object], known: frozenset[str]) -> None:
    """Check that *options* are *known*: one that is misspelt must not be left out unsaid.

    Raises:
        InvalidRequest: one is not.
    """
    if not options.keys() <= known:
        unknown = ", ".join(sorted(options.keys() - known))
        raise InvalidRequest(
            f"a call has no option {unknown}; it has {', '.join(sorted(known))}, and what a "
            "provider takes beside these goes into extra"
        )
