"""Chat models over HTTP that show their key when they are cancelled."""

import asyncio
from collections.abc import AsyncGenerator

from tests.kit.sound_wire_model import Sound
from tollkeeper.contracts.chat_wire_suite import KEY
from tollkeeper.domain.chat import ChatRequest
from tollkeeper.domain.completions import Completion, Delta
from tollkeeper.domain.credentials import Credential


class KeepsItsKeyAtHand(Sound):
    """Has the key in a variable while it asks."""

    async def _once(self, request: ChatRequest, credential: Credential | None) -> Completion:
        key = KEY if credential is None else credential.secret.reveal()
        answer = await super()._once(request, credential)
        return answer if key else Completion()

    async def deltas(
        self, request: ChatRequest, credential: Credential | None
    ) -> AsyncGenerator[Delta, None]:
        key = KEY if credential is None else credential.secret.reveal()
        async for delta in super().deltas(request, credential):
            if key:
                yield delta


class SaysGoodbyeWithItsKey(Sound):
    """Says whose call it was when that is cancelled."""

    async def _once(self, request: ChatRequest, credential: Credential | None) -> Completion:
        try:
            return await super()._once(request, credential)
        except asyncio.CancelledError as error:
            raise asyncio.CancelledError("cancelled") from _caused(credential, error)

    async def deltas(
        self, request: ChatRequest, credential: Credential | None
    ) -> AsyncGenerator[Delta, None]:
        stream = super().deltas(request, credential)
        try:
            async for delta in stream:
                yield delta
        except asyncio.CancelledError as error:
            raise asyncio.CancelledError("cancelled") from _caused(credential, error)


def _caused(credential: Credential | None, error: BaseException) -> Exception:
    shown = KEY if credential is None else credential.secret.reveal()
    cause = ConnectionError(f"the call of {shown} was left")
    cause.__context__ = error
    return cause
