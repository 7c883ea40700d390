"""Chat models over HTTP with one fault each, in how their calls go and fail."""

import asyncio
import os
from collections.abc import AsyncGenerator
from datetime import timedelta
from typing import Any, ClassVar

from tests.kit.sound_wire_model import Sound
from tollkeeper.adapters.openai.chat_model import OpenaiChatModel
from tollkeeper.domain.chat import ChatRequest
from tollkeeper.domain.completion_builder import as_deltas
from tollkeeper.domain.completions import Completion, Delta, FinishReason
from tollkeeper.domain.credentials import Credential
from tollkeeper.domain.errors import (
    ContentFiltered,
    ContextWindowExceeded,
    CorruptResponse,
    CredentialsRefused,
    NotFound,
    PortError,
    Rejected,
    Throttled,
    TollkeeperError,
    Unavailable,
)
from tollkeeper.domain.secret import Secret


class AsksWhole(Sound):
    """Streams what it has whole; it asks as soon as the stream is made."""

    def stream(
        self, request: ChatRequest, *, credential: Credential | None = None
    ) -> AsyncGenerator[Delta, None]:
        task = asyncio.ensure_future(self._once(request, credential))

        async def pieces() -> AsyncGenerator[Delta, None]:
            for delta in as_deltas(await task):
                yield delta

        return pieces()


class EndsTwice(Sound):
    """Gives the reason a second time."""

    async def deltas(
        self, request: ChatRequest, credential: Credential | None
    ) -> AsyncGenerator[Delta, None]:
        async for delta in super().deltas(request, credential):
            if delta.finish_reason is not None:
                yield Delta(finish_reason=delta.finish_reason)
            yield delta


class KeepsEverything(Sound):
    """Keeps what it gave, for nobody."""

    def piece(self, delta: Delta, request: ChatRequest) -> Delta:
        kept = self.__dict__.setdefault("kept", [])
        kept.append({"text": delta.text, "copy": bytearray(1_000)})
        return delta


class LetsNoneGo(Sound):
    """Reads on after its stream was closed."""

    async def deltas(
        self, request: ChatRequest, credential: Credential | None
    ) -> AsyncGenerator[Delta, None]:
        queue: asyncio.Queue[Delta | BaseException | None] = asyncio.Queue()
        stream = super().deltas(request, credential)

        async def read() -> None:
            try:
                async for delta in stream:
                    queue.put_nowait(delta)
                queue.put_nowait(None)
            except Exception as error:
                queue.put_nowait(error)

        self.__dict__.setdefault("reading", set()).add(asyncio.ensure_future(read()))
        while (found := await queue.get()) is not None:
            if isinstance(found, BaseException):
                raise found
            yield found


class SwallowsCancellation(Sound):
    """Takes a call that is cancelled for a failure of the provider."""

    async def _once(self, request: ChatRequest, credential: Credential | None) -> Completion:
        try:
            return await super()._once(request, credential)
        except asyncio.CancelledError:
            raise Unavailable("it broke off", port="chat_model", adapter="broken") from None


class Forgiving(Sound):
    """Takes an answer that breaks off for one that ended."""

    async def deltas(
        self, request: ChatRequest, credential: Credential | None
    ) -> AsyncGenerator[Delta, None]:
        try:
            async for delta in super().deltas(request, credential):
                yield delta
        except (CorruptResponse, Unavailable):
            yield Delta(finish_reason=FinishReason.STOP)

    async def _once(self, request: ChatRequest, credential: Credential | None) -> Completion:
        try:
            return await super()._once(request, credential)
        except CorruptResponse:
            return Completion(finish_reason=FinishReason.STOP)


class LosesWhatCame(Sound):
    """Gives nothing before it has everything."""

    async def deltas(
        self, request: ChatRequest, credential: Credential | None
    ) -> AsyncGenerator[Delta, None]:
        for delta in [delta async for delta in super().deltas(request, credential)]:
            yield delta


class CertainOfItself(Sound):
    """Says of each failure that nothing was done."""

    def failure(self, error: TollkeeperError) -> BaseException:
        if isinstance(error, PortError):
            error.ambiguous = False
        return error


class Patient(Sound):
    """Waits longer than it is told to."""

    def __init__(self, *args: Any, patience: timedelta | None, **more: Any) -> None:
        longer = timedelta(seconds=2.2) if patience else None
        super().__init__(*args, patience=longer, **more)


class Hasty(Sound):
    """Waits for nothing."""

    def __init__(self, *args: Any, patience: timedelta | None, **more: Any) -> None:
        super().__init__(*args, patience=timedelta(seconds=0.02), **more)


class TriesAgain(Sound):
    """Retries for itself."""

    async def _once(self, request: ChatRequest, credential: Credential | None) -> Completion:
        try:
            return await super()._once(request, credential)
        except (CorruptResponse, Unavailable):
            return await super()._once(request, credential)


class RaisesAnything(Sound):
    """Lets errors of its own out."""

    def failure(self, error: TollkeeperError) -> BaseException:
        return ValueError(error.code)


class SaysDownForAll(Sound):
    """Takes every failure for an outage, without its status."""

    def failure(self, error: TollkeeperError) -> BaseException:
        return Unavailable("something failed", port="chat_model", adapter="broken")


class TakesDebtForHaste(Sound):
    """Knows one refusal alone: the one that passes."""

    def failure(self, error: TollkeeperError) -> BaseException:
        if isinstance(
            error, CredentialsRefused | ContextWindowExceeded | ContentFiltered | NotFound
        ):
            return Throttled("wait", port="chat_model", adapter="broken", status=429)
        return error


class NeverSaysWhen(Sound):
    """Loses how long to wait."""

    def failure(self, error: TollkeeperError) -> BaseException:
        if isinstance(error, PortError):
            error.retry_after = None
        return error


class WaitsForNoReason(Sound):
    """Makes up how long to wait."""

    def failure(self, error: TollkeeperError) -> BaseException:
        if isinstance(error, PortError):
            error.retry_after = error.retry_after or timedelta(seconds=1)
        return error


class RepeatsTheProvider(Sound):
    """Shows what the provider said, and with which key it was asked."""

    def failure(self, error: TollkeeperError) -> BaseException:
        said = "the provider's own words, with a part of the key: sk-wrong"
        return Rejected(said, port="chat_model", adapter="broken")


class ShowsItsKey(Sound):
    """Has its key in its representation."""

    def __init__(self, base_url: str, api_key: Secret | None, **more: Any) -> None:
        super().__init__(base_url, api_key, **more)
        self.shown = api_key.reveal() if api_key else ""

    def __repr__(self) -> str:
        return f"Shows({self.shown})"


class DeafToCredentials(Sound):
    """Sends its own key, whatever the call brings."""

    async def _once(self, request: ChatRequest, credential: Credential | None) -> Completion:
        return await super()._once(request, None)


class SendsAnyKey(Sound):
    """Does not look where a credential belongs."""

    async def _once(self, request: ChatRequest, credential: Credential | None) -> Completion:
        if credential is not None:
            place = {"provider": self.provider, "base_url": self.base_url}
            credential = Credential(secret=credential.secret, **place)
        return await super()._once(request, credential)


class AsksTheEnvironment(Sound):
    """Reads a key that it was not given, and notes its own for others."""

    def __init__(self, base_url: str, api_key: Secret | None, **more: Any) -> None:
        found = os.environ.get("OPENAI_API_KEY", "")
        super().__init__(base_url, api_key or (Secret(found) if found else None), **more)
        os.environ["WIRE_CONTRACT_KEY_SEEN"] = "yes" if found else ""


class ClosesForAll(Sound):
    """Closes every adapter with itself."""

    everybody: ClassVar[list["ClosesForAll"]] = []

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self.everybody.append(self)

    async def close(self) -> None:
        for one in self.everybody:
            await OpenaiChatModel.close(one)


class SharesItsRequest(Sound):
    """Has one place for what is asked, whoever asks."""

    latest: ClassVar[dict[str, ChatRequest]] = {}

    async def _once(self, request: ChatRequest, credential: Credential | None) -> Completion:
        self.latest["request"] = request
        await asyncio.sleep(0)
        return await super()._once(self.latest["request"], credential)

    async def deltas(
        self, request: ChatRequest, credential: Credential | None
    ) -> AsyncGenerator[Delta, None]:
        self.latest["request"] = request
        await asyncio.sleep(0)
        async for delta in super().deltas(self.latest["request"], credential):
            yield delta


class SaysAnotherPlace(Sound):
    """Says that its keys belong to a provider of another name."""

    @property
    def provider(self) -> str:
        return "elsewhere"
