"""Transcribe: the same metered call on another kind of work."""

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest
from attrs import define, field

from tests.application.world import open_world
from tollkeeper import Principal, Transcript
from tollkeeper.domain.errors import (
    InsufficientCredit,
    InvalidRequest,
    NotFound,
    PermissionDenied,
    TollkeeperError,
    Unavailable,
)
from tollkeeper.domain.meters import Meter
from tollkeeper.domain.transcripts import TranscriptionRequest

pytestmark = pytest.mark.anyio


@define
class EchoTranscriber:
    """Takes a byte for a millisecond of speech; a zero byte is silence."""

    error: Exception | None = None
    wait: float = 0.0
    asked: int = field(default=0, init=False)

    async def measure(self, request: TranscriptionRequest) -> timedelta:
        if request.audio.startswith(b"broken"):
            raise InvalidRequest("the recording is broken", code="corrupt_audio")
        return timedelta(milliseconds=len(request.audio))

    async def transcribe(self, request: TranscriptionRequest) -> Transcript:
        self.asked += 1
        await asyncio.sleep(self.wait)
        if self.error is not None:
            raise self.error
        spoken = request.audio.strip(b"\0")
        length = await self.measure(request)
        return Transcript(
            text="a" * len(spoken), duration=length, billed=length if spoken else timedelta(0)
        )


async def test_the_decoded_length_is_charged(tmp_path: Path) -> None:
    async with open_world(tmp_path, transcribers={"sound": EchoTranscriber()}) as world:
        transcript = await world.tk.transcribe(world.principal, model="sound/en", audio=b"a" * 1234)
        assert transcript.duration == timedelta(milliseconds=1234)
        assert transcript.receipt is not None
        assert transcript.receipt.quantities[Meter.AUDIO_MILLISECONDS] == 1234
        assert transcript.receipt.charged.amount == "0.01234"
        assert await world.balance() == ("0.98766", "0.00")


async def test_a_recording_in_which_nothing_is_billed_costs_nothing(tmp_path: Path) -> None:
    async with open_world(tmp_path, transcribers={"sound": EchoTranscriber()}) as world:
        transcript = await world.tk.transcribe(world.principal, model="sound/en", audio=b"\0" * 9)
        assert transcript.text == ""
        assert await world.balance() == ("1.00", "0.00")
        assert (await world.tk.report_usage(account="acme")).totals == ()


async def test_a_replay_gets_the_first_transcript(tmp_path: Path) -> None:
    transcriber = EchoTranscriber()
    async with open_world(tmp_path, transcribers={"sound": transcriber}) as world:
        answers = [
            await world.tk.transcribe(
                world.principal, model="sound/en", audio=b"a" * 100, idempotency_key="once"
            )
            for _ in range(2)
        ]
        assert answers[0] == answers[1]
        assert transcriber.asked == 1
        assert (await world.balance())[0] == "0.999"


async def test_a_failure_or_a_cancelled_caller_costs_nothing(tmp_path: Path) -> None:
    transcriber = EchoTranscriber(
        error=Unavailable("down", port="transcriber", adapter="test"), wait=0.01
    )
    async with open_world(tmp_path, transcribers={"sound": transcriber}) as world:
        with pytest.raises(Unavailable):
            await world.tk.transcribe(world.principal, model="sound/en", audio=b"a")
        transcriber.wait = 60
        call = asyncio.ensure_future(
            world.tk.transcribe(world.principal, model="sound/en", audio=b"a")
        )
        while transcriber.asked < 2:
            await asyncio.sleep(0)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        assert await world.balance() == ("1.00", "0.00")


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"audio": b""}, InvalidRequest),
        ({"audio": "a path.wav"}, InvalidRequest),
        ({"audio": b"broken header"}, InvalidRequest),
        ({"audio": b"a" * 200_000}, InsufficientCredit),
        ({"model": "sound"}, InvalidRequest),
        ({"model": "nobody/en"}, NotFound),
    ],
    ids=lambda value: str(value)[:40],
)
async def test_bad_input_is_a_typed_error_and_changes_nothing(
    tmp_path: Path, arguments: dict[str, object], error: type[TollkeeperError]
) -> None:
    transcriber = EchoTranscriber()
    async with open_world(tmp_path, transcribers={"sound": transcriber}) as world:
        asked: dict[str, object] = {"model": "sound/en", "audio": b"a", **arguments}
        with pytest.raises(error):
            await world.tk.transcribe(world.principal, **asked)  # type: ignore[arg-type]
        assert transcriber.asked == 0
        assert await world.balance() == ("1.00", "0.00")


async def test_the_scope_is_checked(tmp_path: Path) -> None:
    async with open_world(tmp_path, transcribers={"sound": EchoTranscriber()}) as world:
        chat_only = Principal(account="acme", scopes=frozenset({"chat:complete"}))
        with pytest.raises(PermissionDenied):
            await world.tk.transcribe(chat_only, model="sound/en", audio=b"a")
