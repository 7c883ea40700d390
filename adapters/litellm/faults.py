"""The errors of this adapter.

The sentences are Anthropic's, which litellm speaks to in its own format; its types are listed at
https://docs.claude.com/en/api/errors.
"""

from collections.abc import Mapping
from typing import Any

from tollkeeper.adapters.wire.errors import Errors
from tollkeeper.adapters.wire.faults import word
from tollkeeper.adapters.wire.known_faults import IN_ANSWER, OF_ACCOUNT, OF_CONTENT, KnownFaults
from tollkeeper.adapters.wire.meanings import CONTEXT, FILTER, MODEL, QUOTA, TOO_LARGE
from tollkeeper.domain.errors import ContentFiltered

PORT = "chat_model"
ADAPTER = "litellm"
_KNOWN = KnownFaults(
    phrases=(
        *OF_CONTENT,
        (("exceed context limit",), CONTEXT),
        (("content filtering policy",), FILTER),
        (("credit balance is too low",), QUOTA),
        (("specified api usage limits",), QUOTA),
        *OF_ACCOUNT,
    ),
    in_answer={
        **IN_ANSWER,
        "not_found_error": MODEL,
        "request_too_large": TOO_LARGE,
        "billing_error": QUOTA,
    },
)
ERRORS = Errors(ADAPTER, _KNOWN)
corrupt = ERRORS.corrupt
provider_error = ERRORS.provider_error


class LitellmFault(Exception):
    """litellm failed, and how it calls that; the cause of the error that is raised for it.

    Its own exceptions hold the request with its key, and repeat what the provider said.
    """

    def __init__(self, error: BaseException) -> None:
        super().__init__(f"{type(error).__module__}.{type(error).__name__}")


def blocked(found: Mapping[str, Any], *, begun: bool = False) -> ContentFiltered | None:
    """Return the error for an answer of Gemini's that says that the prompt is refused."""
    feedback = found.get("promptFeedback")
    reason = feedback.get("blockReason") if isinstance(feedback, Mapping) else None
    if not reason or found.get("candidates"):
        return None
    return ContentFiltered(
        FILTER.text,
        port=PORT,
        adapter=ADAPTER,
        ambiguous=begun,
        provider_code=word(reason),
        status=200,
    )
