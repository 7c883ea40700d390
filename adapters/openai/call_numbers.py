"""The tool calls of a streamed answer, numbered. Pure."""

from tollkeeper.adapters.openai.decoding import CalledTool, Function, arguments_of, signature_of
from tollkeeper.adapters.wire.call_numbers import CallNumbers
from tollkeeper.domain.completions import ToolCallDelta


def numbered(numbers: CallNumbers, pieces: list[CalledTool]) -> tuple[ToolCallDelta, ...]:
    """Return *pieces* with the *numbers* that their calls have in this answer.

    Raises:
        CorruptResponse: the provider's own number is below 0.
    """
    found = []
    for position, piece in enumerate(pieces):
        function = piece.function or Function()
        index = position if piece.index is None else piece.index
        found.append(
            numbers.numbered(
                index,
                piece.id or "",
                function.name or "",
                arguments_of(function),
                signature_of(piece),
            )
        )
    return tuple(found)
