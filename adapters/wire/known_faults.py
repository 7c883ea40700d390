"""How servers that speak the OpenAI format, or nearly, say what went wrong. Pure.

By code or type, by known phrases, by status. Sources:
https://platform.openai.com/docs/guides/error-codes, https://console.groq.com/docs/errors,
https://openrouter.ai/docs/api/reference/errors-and-debugging,
https://docs.x.ai/developers/debugging, https://docs.morphllm.com/api-reference,
https://ai.google.dev/gemini-api/docs/troubleshooting.
"""

from collections.abc import Mapping

from attrs import frozen

from tollkeeper.adapters.wire.faults import ProviderFault
from tollkeeper.adapters.wire.meanings import (
    BY_STATUS,
    CONTEXT,
    CREDENTIALS,
    DOWN,
    FILTER,
    LATE,
    MODEL,
    QUOTA,
    REJECTED,
    THROTTLED,
    TOO_LARGE,
    Meaning,
    meaning_of_status,
)

Phrases = tuple[tuple[tuple[str, ...], Meaning], ...]

# Codes and types that say more than the status they come with. Those that speak of a rate are
# not among them: providers send them with a 400 or 413 too, where a retry never helps.
_BY_NAME: Mapping[str, Meaning] = {
    "context_length_exceeded": CONTEXT,
    "exceed_context_size_error": CONTEXT,
    "content_filter": FILTER,
    "content_policy_violation": FILTER,
    "content_policy": FILTER,
    "moderation_blocked": FILTER,
    "insufficient_quota": QUOTA,
    "billing_hard_limit_reached": QUOTA,
    "billing_not_active": QUOTA,
    "blocked_api_access": QUOTA,
    "organization_restricted": CREDENTIALS,
    "failed_precondition": CREDENTIALS,
    "model_not_found": MODEL,
    "model_decommissioned": MODEL,
    "invalid_api_key": CREDENTIALS,
    "api_key_invalid": CREDENTIALS,
}

# Phrases of errors that have no code of their own: all parts must be there.
OF_CONTENT: Phrases = (
    (("maximum context length",), CONTEXT),
    (("maximum prompt length",), CONTEXT),
    (("context window",), CONTEXT),
    (("context length exceeded",), CONTEXT),
    (("exceeds the available context size",), CONTEXT),
    (("prompt is too long",), CONTEXT),
    (("input token count", "exceeds the maximum"), CONTEXT),
    (("reduce the length of the messages",), CONTEXT),
    (("violates usage guidelines",), FILTER),
    (("flagged", "usage policy"), FILTER),
    (("flagged", "moderation"), FILTER),
)
OF_ACCOUNT: Phrases = (
    (("used all available credits",), QUOTA),
    (("credits are depleted",), QUOTA),
    (("incorrect api key",), CREDENTIALS),
    (("api key not valid",), CREDENTIALS),
    (("is not a valid model id",), MODEL),
    (("request too large for model",), TOO_LARGE),
    (("request too large for", "must be reduced"), TOO_LARGE),
)
_STATUSES_OF_PHRASES = frozenset({400, 403, 413, 422, 429, None})
_STATUSES: Mapping[int, Meaning] = {**BY_STATUS, 498: THROTTLED}

# Inside an answer that began with 200 there is no status to go by.
IN_ANSWER: Mapping[str, Meaning] = {
    "rate_limit_exceeded": THROTTLED,
    "rate_limit_error": THROTTLED,
    "resource_exhausted": THROTTLED,
    "some resource has been exhausted": THROTTLED,
    "capacity_exceeded": THROTTLED,
    "invalid_request_error": REJECTED,
    "invalid_argument": REJECTED,
    "client specified an invalid argument": REJECTED,
    "invalid_prompt": REJECTED,
    "json_validate_failed": REJECTED,
    "tool_use_failed": REJECTED,
    "authentication_error": CREDENTIALS,
    "permission_error": CREDENTIALS,
    "permission_denied": CREDENTIALS,
    "unauthenticated": CREDENTIALS,
    "deadline_exceeded": LATE,
    "timeout": LATE,
    "timeout_error": LATE,
}


@frozen
class KnownFaults:
    """What one adapter's servers say: the first of *phrases* that fits counts.

    *in_answer* holds the codes and types that count where there is no status to go by.
    """

    phrases: Phrases = (*OF_CONTENT, *OF_ACCOUNT)
    in_answer: Mapping[str, Meaning] = IN_ANSWER

    def meaning(self, fault: ProviderFault) -> Meaning:
        """Say what *fault* means. A code that is a number stands in the place of a status."""
        status = fault.status
        if status is None and fault.code.isdecimal() and 400 <= int(fault.code) < 600:
            status = int(fault.code)
        names = (fault.code.lower(), fault.kind.lower(), fault.reason.lower())
        if status is None or 400 <= status < 500:
            if fault.moderated:
                return FILTER
            for name in names:
                if name in _BY_NAME:
                    return _BY_NAME[name]
        if status in _STATUSES_OF_PHRASES:
            said = fault.text.lower()
            for parts, meaning in self.phrases:
                if all(part in said for part in parts):
                    return meaning
        if status is None:
            return next((self.in_answer[name] for name in names if name in self.in_answer), DOWN)
        return meaning_of_status(status, _STATUSES)
