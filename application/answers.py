"""The answers to calls with an idempotency key, kept for a while so that a replay gets the same.

They are JSON in the cache, under a name that is a digest of the account, the key and what was
asked under it. What is not there any more is said plainly: the call is never made, nor charged,
again.
"""

from collections.abc import Callable
from typing import TypeVar

from attrs import frozen

from tollkeeper.application.admission import Admission
from tollkeeper.application.answer_codec import (
    Answer,
    decode_completion,
    decode_embeddings,
    decode_transcript,
    encode_answer,
    readable,
)
from tollkeeper.application.fingerprints import digest
from tollkeeper.application.metered_call import MeteredCall
from tollkeeper.application.policy import Policy
from tollkeeper.domain.completions import Completion
from tollkeeper.domain.embeddings import Embeddings
from tollkeeper.domain.errors import Conflict, InvalidRequest, PortError
from tollkeeper.domain.transcripts import Transcript
from tollkeeper.ports.cache import Cache

T = TypeVar("T")


def _named(account: str, key: str, purpose: str) -> str:
    return f"answer:{digest((account, key, purpose))}"


@frozen
class Answers:
    """Keeps and recalls answers by the call that was charged for them: one for each key."""

    cache: Cache
    policy: Policy

    def _name(self, call: MeteredCall) -> str:
        hold = call.hold
        # Tries are numbered behind the key, and one of them at most is charged.
        return _named(hold.account, hold.idempotency_key.rpartition("#")[0], hold.purpose)

    async def keep(self, call: MeteredCall, answer: Answer) -> None:
        """Keep *answer*; a cache that fails or finds it too large is no reason to fail the call."""
        try:
            await self.cache.set(
                self._name(call), encode_answer(answer), ttl=self.policy.answer_ttl
            )
        except (PortError, InvalidRequest, TypeError):
            return  # a replay will say that the answer is gone; the charge stands either way

    async def _recall(self, call: MeteredCall, decode: Callable[[bytes], T]) -> T:
        kept = await self.cache.get(self._name(call))
        answer = None if kept is None else readable(decode, kept)
        if answer is None:
            raise Conflict(
                "this call was made and charged already, and its answer is no longer kept",
                code="already_charged",
            )
        return answer

    async def completion_under(
        self, key: str, admission: Admission, fingerprint: str
    ) -> Completion | None:
        """Return the answer that was given under *key* to the same question, if it is kept.

        The ledger alone cannot say: it takes a call whose worst case has another price by now for
        another call.
        """
        purpose = f"{admission.operation} {admission.model} {fingerprint}"
        kept = await self.cache.get(_named(admission.principal.account, key, purpose))
        return None if kept is None else readable(decode_completion, kept)

    async def completion(self, call: MeteredCall) -> Completion:
        """Return the first answer again.

        Raises:
            Conflict: it is no longer kept (code ``already_charged``).
        """
        return await self._recall(call, decode_completion)

    async def transcript(self, call: MeteredCall) -> Transcript:
        """Return the first transcript again.

        Raises:
            Conflict: it is no longer kept (code ``already_charged``).
        """
        return await self._recall(call, decode_transcript)

    async def embeddings(self, call: MeteredCall) -> Embeddings:
        """Return the first vectors again.

        Raises:
            Conflict: they are no longer kept (code ``already_charged``).
        """
        return await self._recall(call, decode_embeddings)
