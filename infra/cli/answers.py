"""What is printed of an answer, and what is said beside it."""

from collections.abc import Sequence

from tollkeeper.domain.attempts import Attempt, Billed, Settlement
from tollkeeper.domain.completions import Completion, FinishReason
from tollkeeper.infra.cli.documents import of_completion
from tollkeeper.infra.cli.output import note, print_json, write, write_text
from tollkeeper.infra.cli.paying import note_receipt

_ENDS = {
    FinishReason.LENGTH: "the answer was cut off at the most tokens allowed (--max-tokens)",
    FinishReason.CONTENT_FILTER: "the provider's content filter ended the answer",
    FinishReason.PAUSED: "the provider paused, and wants the answer sent back to go on with it",
}


def print_answer(answer: Completion, *, as_json: bool) -> None:
    """Print a whole answer."""
    if as_json:
        print_json(of_completion(answer))
        return
    write_text(answer.text + answer.refusal)
    print_tool_calls(answer)


def print_tool_calls(answer: Completion) -> None:
    """Print a line for each tool call, and end the line of the text before it."""
    if answer.text or answer.refusal or not answer.tool_calls:
        write("\n")
    for call in answer.tool_calls:
        write_text(f"tool call {call.name} {call.arguments}\n")


def note_end(answer: Completion, *, asked: str, reasoning: bool) -> None:
    """Say how the answer came about and ended, and what it cost.

    *asked* is the model that was asked for; *reasoning* says whether to show what it thought.
    """
    if reasoning and answer.reasoning:
        note(f"reasoning: {answer.reasoning}")
    for warning in answer.warnings:
        note(f"warning: {warning}")
    if answer.finish_reason in _ENDS:
        note(_ENDS[answer.finish_reason])
    if answer.cached:
        note("answered from the response cache, at no charge")
    receipt = answer.receipt
    if receipt is not None and (receipt.model != asked or len(answer.attempts) > 1):
        note(f"answered by {receipt.model}")
    note_attempts(answer.attempts)
    note_receipt(receipt)


def note_attempts(attempts: Sequence[Attempt]) -> None:
    """Say what was tried, if it was more than once."""
    if len(attempts) > 1:
        for attempt in attempts:
            note(_line(attempt))


def _line(attempt: Attempt) -> str:
    said = f"attempt {attempt.number}: {attempt.model} {attempt.outcome}"
    if attempt.error:
        said += f" ({attempt.error})"
    said += f" after {attempt.lasted.total_seconds():.2f} s"
    if attempt.settlement is Settlement.WRITTEN_OFF:
        unknown = ", if it was billed" if attempt.billed is Billed.UNKNOWN else ""
        said += f"; the host bears {attempt.cost}{unknown}"
    return said
