"""A model to talk to."""

from collections.abc import AsyncIterator
from typing import Protocol, runtime_checkable

from tollkeeper.domain.chat import ChatRequest
from tollkeeper.domain.completions import Completion, Delta
from tollkeeper.domain.credentials import Credential


@runtime_checkable
class ChatModel(Protocol):
    """One provider's chat models; ``request.model`` names which. Makes one attempt, no retries.

    Both methods raise, and say nothing of the provider's own text:

    * CredentialsRefused: the key is missing, wrong, or not allowed to do this;
    * Throttled: the provider limits us, with ``retry_after`` where it said so;
    * ContextWindowExceeded, ContentFiltered, Rejected: the request as it stands is refused;
    * NotFound: the provider has no such model;
    * Unavailable, Timeout: it is down, cannot be reached, breaks off or stays silent
      (``ambiguous`` if the request had been sent);
    * CorruptResponse: the answer breaks the format or ends before it is complete;
    * Unsupported: the adapter cannot express the request; nothing was sent.

    A *credential* stands in for the adapter's own for this one call. One that is bound to
    another provider or base URL raises CredentialsRefused (code ``credential_bound_elsewhere``)
    before anything is sent. Parameters that the model or the provider cannot take are treated as
    :func:`tollkeeper.domain.quirks.adapt` says. Cancelling either, or closing the stream, closes
    the connection to the provider.
    """

    async def complete(
        self, request: ChatRequest, *, credential: Credential | None = None
    ) -> Completion:
        """Ask for a whole answer; its ``finish_reason`` is always set."""

    def stream(
        self, request: ChatRequest, *, credential: Credential | None = None
    ) -> AsyncIterator[Delta]:
        """Ask for an answer in pieces; the request goes out with the first ``anext``.

        A stream ends normally only after a delta with a ``finish_reason``; anything else is an
        error, raised after all that came before it was yielded. The deltas add up to what
        :meth:`complete` would have said. ``usage`` comes in the last delta, or not at all if the
        provider does not report it.
        """
