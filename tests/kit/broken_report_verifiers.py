"""Verifiers of reports with one fault each, for their suite to find."""

import asyncio
from base64 import b64decode
from hashlib import sha256

from tollkeeper.adapters.memory.report_verifier import MemoryReportVerifier
from tollkeeper.domain.errors import Unauthenticated
from tollkeeper.domain.leak_reports import not_authentic
from tollkeeper.domain.secret import Secret

KEY_ID = "f9525bf080f75b3506ca1ead061add62"
KEYS = {KEY_ID: Secret("what only the reporter of these tests knows")}


def sign(body: bytes) -> tuple[str, str]:
    """Sign as the reporter of these tests."""
    return KEY_ID, MemoryReportVerifier(KEYS).sign(body, key_id=KEY_ID)


class SoundVerifier(MemoryReportVerifier):
    """Knows the one reporter of these tests."""

    def __init__(self) -> None:
        super().__init__(KEYS)


def _decoded(signature: object) -> bytes | None:
    if not isinstance(signature, str):
        return None
    try:
        return b64decode(signature, validate=True)
    except ValueError:
        return None


class TakesAnything(SoundVerifier):
    """Trusts whoever calls."""

    async def verify(self, body: bytes, *, key_id: str, signature: str) -> None:
        return None


class TakesNothing(SoundVerifier):
    """Trusts nobody."""

    async def verify(self, body: bytes, *, key_id: str, signature: str) -> None:
        raise not_authentic()


class TakesItOnce(SoundVerifier):
    """Refuses a replay, which is not its business: an answer may have been lost."""

    seen: set[str] = set()  # noqa: RUF012 - one verifier is made for a test

    async def verify(self, body: bytes, *, key_id: str, signature: str) -> None:
        if signature in self.seen:
            raise not_authentic()
        await super().verify(body, key_id=key_id, signature=signature)
        self.seen.add(signature)


class SignedOnceIsSignedForEver(SoundVerifier):
    """Remembers good signatures without what was signed."""

    async def verify(self, body: bytes, *, key_id: str, signature: str) -> None:
        await super().verify(sign_of.get(signature, body), key_id=key_id, signature=signature)


sign_of: dict[str, bytes] = {}


def remembering_sign(body: bytes) -> tuple[str, str]:
    """Sign, and remember what was signed, for the verifier that does not look at it."""
    key_id, signature = sign(body)
    sign_of[signature] = body
    return key_id, signature


class LooksAtTheBeginning(SoundVerifier):
    """Compares the first 8 bytes of a signature."""

    async def verify(self, body: bytes, *, key_id: str, signature: str) -> None:
        made = _decoded(signature)
        right = _decoded(sign(body)[1]) if isinstance(body, bytes) else None
        if key_id != KEY_ID or made is None or right is None or made[:8] != right[:8]:
            raise not_authentic()


class ForgivesKeyIds(SoundVerifier):
    """Tidies the id of a key up."""

    async def verify(self, body: bytes, *, key_id: str, signature: str) -> None:
        tidied = key_id.strip() if isinstance(key_id, str) else key_id
        await super().verify(body, key_id=tidied, signature=signature)


class LetsTheDecoderSpeak(SoundVerifier):
    """Raises whatever base64 raises."""

    async def verify(self, body: bytes, *, key_id: str, signature: str) -> None:
        b64decode(signature, validate=True)
        await super().verify(body, key_id=key_id, signature=signature)


class LetsTheHashSpeak(SoundVerifier):
    """Raises whatever hashing raises."""

    async def verify(self, body: bytes, *, key_id: str, signature: str) -> None:
        sha256(body)
        await super().verify(body, key_id=key_id, signature=signature)


class TellsWhatIsWrong(SoundVerifier):
    """Has an answer of its own for an unknown key."""

    async def verify(self, body: bytes, *, key_id: str, signature: str) -> None:
        if key_id != KEY_ID:
            raise Unauthenticated("no such reporter", code="report_not_authentic")
        await super().verify(body, key_id=key_id, signature=signature)


class KeepsTheBody(SoundVerifier):
    """Has the body among the locals of the frame that raises."""

    async def verify(self, body: bytes, *, key_id: str, signature: str) -> None:
        await super().verify(body, key_id=key_id, signature=signature)


class SharesItsState(SoundVerifier):
    """Keeps what it is asked in itself while it waits."""

    shared: list[tuple[bytes, str, str]] = [(b"", "", "")]  # noqa: RUF012 - shared is the fault

    async def verify(self, body: bytes, *, key_id: str, signature: str) -> None:
        self.shared[0] = (body, key_id, signature)
        del body
        await asyncio.sleep(0)
        kept, key_id, signature = self.shared[0]
        view = memoryview(kept) if isinstance(kept, bytes) else kept
        del kept
        await super().verify(
            bytes(view) if isinstance(view, memoryview) else view,
            key_id=key_id,
            signature=signature,
        )
