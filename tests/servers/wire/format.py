"""The shape of a wire format: how requests are read, and answers and errors written."""

from collections.abc import Mapping, Sequence
from typing import Literal, Protocol

from attrs import field, frozen

from tests.servers.http_player import SeenRequest
from tests.servers.openai_plays import SECRET_WORDS
from tests.servers.wire.answer import Answer, Json
from tests.servers.wire.echo import Asked

__all__ = ["SECRET_WORDS", "ErrorAnswer", "Kind", "Task", "WireFormat"]

Task = Literal["chat", "embed", "models"]
Kind = Literal[
    "context_overflow",
    "content_filter",
    "unknown_model",
    "quota",
    "invalid_key",
    "no_key",
    "overloaded",
    "rate_limit",
    "request_too_large",
]


@frozen
class ErrorAnswer:
    """What a provider answers when it fails."""

    status: int
    body: bytes
    headers: Mapping[str, str] = field(factory=dict)


class WireFormat(Protocol):
    """One provider's HTTP format, from the server's side."""

    @property
    def name(self) -> str:
        """The provider: openai, groq, openrouter, xai, morph, gemini, anthropic, gemini-native."""

    @property
    def root(self) -> str:
        """What an adapter's base URL has after the host."""

    @property
    def statuses(self) -> tuple[int, ...]:
        """The statuses of errors that the provider documents."""

    @property
    def kinds(self) -> tuple[Kind, ...]:
        """The kinds of failure that the provider tells apart by code, type or text."""

    @property
    def has_terminal_event(self) -> bool:
        """Whether a stream has an event after the reason why it ended, to say that it is whole."""

    def task(self, method: str, route: str) -> Task | None:
        """Say what is asked for at *route*, if anything is."""

    def serves(self, method: str, path: str) -> bool:
        """Whether anything is at *path*."""

    def key_of(self, seen: SeenRequest) -> str:
        """Return the credential from the provider's own header; empty without one."""

    def model_of(self, seen: SeenRequest) -> str:
        """Return the name of the model that is asked for."""

    def is_streamed(self, seen: SeenRequest) -> bool:
        """Whether the answer is wanted in pieces."""

    def asked(self, seen: SeenRequest) -> Asked:
        """Read what a chat asks for."""

    def complaint(self, seen: SeenRequest) -> str:
        """Say which documented rule the request breaks; empty if none."""

    def heard(self, answer: Answer) -> Answer:
        """Return what of *answer* a reader can know: the format may lack a field for the rest."""

    def whole(self, answer: Answer, body: Json) -> bytes:
        """Write *answer* in one body."""

    def events(self, answer: Answer, body: Json) -> list[bytes]:
        """Write *answer* as events, the terminal one included."""

    def error(
        self, status: int | None = None, kind: Kind | None = None, text: str = SECRET_WORDS
    ) -> ErrorAnswer:
        """Write the documented error for *status* or *kind*; *text* is said after its own words."""

    def error_event(self, kind: Kind = "overloaded", text: str = SECRET_WORDS) -> bytes:
        """Write a failure inside a stream."""

    def embeddings(self, seen: SeenRequest) -> bytes:
        """Answer a request for embeddings."""

    def models(self, names: Sequence[str]) -> bytes:
        """List the models."""
