"""What an error says, and the body that it says it in."""

from collections.abc import Callable, Mapping
from typing import cast

from attrs import field, frozen

from tests.servers.wire.answer import Json
from tests.servers.wire.format import ErrorAnswer, Kind
from tests.servers.wire.sse import body_of

BAD, SERVER = "invalid_request_error", "server_error"
RATE = "rate_limit_exceeded"


@frozen
class Words:
    """What one error says."""

    status: int
    message: str
    type: str = "invalid_request_error"
    code: str | None = None
    param: str | None = None
    more: Json = field(factory=dict)


Shape = Callable[[Words, str], Json | list[Json]]


@frozen
class ErrorTable:
    """The errors of one provider: by status, by kind, and how a body is shaped."""

    shape: Shape
    by_status: Mapping[int, Words]
    by_kind: Mapping[Kind, Words]

    def words(self, status: int | None, kind: Kind | None) -> Words:
        """Find what to say; an undocumented status gets the shape of the others."""
        if kind is not None:
            return self.by_kind[kind]
        assert status is not None
        return self.by_status.get(status) or Words(status, f"Error {status}.", "api_error")

    def error(self, status: int | None, kind: Kind | None, text: str) -> ErrorAnswer:
        """Write the answer."""
        words = self.words(status, kind)
        headers = {"x-request-id": "req_0001"}
        return ErrorAnswer(status or words.status, body_of(self.shape(words, text)), headers)


def table(shape: Shape, statuses: tuple[Words, ...], **kinds: Words) -> ErrorTable:
    """Make a table of *statuses* and *kinds*."""
    named = cast("dict[Kind, Words]", kinds)
    return ErrorTable(shape, {words.status: words for words in statuses}, named)


def openai_shape(words: Words, text: str) -> Json:
    """Shape an error as OpenAI does."""
    said = {"message": f"{words.message} {text}".strip(), "type": words.type}
    return {"error": {**said, "param": words.param, "code": words.code, **words.more}}
