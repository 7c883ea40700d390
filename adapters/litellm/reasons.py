"""Why an answer ended, by the provider's own word for it. Pure."""

from collections.abc import Mapping

from tollkeeper.domain.completions import FinishReason

_REASONS: Mapping[str, FinishReason] = {
    **dict.fromkeys(
        ("stop", "end_turn", "stop_sequence", "complete", "completed", "eos", "eos_token", "end"),
        FinishReason.STOP,
    ),
    **dict.fromkeys(
        (
            "length",
            "max_tokens",
            "max_output_tokens",
            "max_completion_tokens",
            "model_context_window_exceeded",
            "model_length",
        ),
        FinishReason.LENGTH,
    ),
    **dict.fromkeys(
        ("tool_calls", "tool_use", "tool_call", "function_call"), FinishReason.TOOL_CALLS
    ),
    **dict.fromkeys(
        (
            "content_filter",
            "content_filtered",
            "guardrail_intervened",
            "safety",
            "recitation",
            "blocklist",
            "prohibited_content",
            "spii",
            "image_safety",
            "image_prohibited_content",
            "language",
        ),
        FinishReason.CONTENT_FILTER,
    ),
    "refusal": FinishReason.REFUSAL,
    "pause_turn": FinishReason.PAUSED,
}


def finish_reason_of(
    word: str,
    *,
    native: str = "",
    refused: bool = False,
    called: bool = False,
    formed: bool = False,
) -> FinishReason:
    """Name the reason that the provider gives as *word*; what is not known is never ``stop``.

    *native* is what the provider behind it says, which speaks for itself where it is a failure.
    *refused* and *called* say that the answer holds a refusal, or calls of tools; *formed* that
    litellm asked for JSON by way of a tool, and took its call for the answer.
    """
    reason = _REASONS.get(word.lower(), FinishReason.OTHER)
    if reason is FinishReason.STOP and native:
        told = _REASONS.get(native.lower())
        if told in (FinishReason.CONTENT_FILTER, FinishReason.REFUSAL, FinishReason.LENGTH):
            reason = told
        elif native.lower() in ("error", "malformed_function_call"):
            reason = FinishReason.OTHER
    if reason is FinishReason.TOOL_CALLS and formed and not called:
        return FinishReason.STOP
    if reason is FinishReason.STOP and refused:
        return FinishReason.REFUSAL
    if reason is FinishReason.STOP and called:
        return FinishReason.TOOL_CALLS
    return reason
