"""Transcribe a recording."""

import asyncio
from datetime import timedelta

from attrs import evolve, frozen

from tollkeeper.application.admission import Admissions
from tollkeeper.application.answers import Answers
from tollkeeper.application.fingerprints import fingerprint
from tollkeeper.application.metered_call import MeteredCall
from tollkeeper.application.metered_calls import MeteredCalls
from tollkeeper.application.providers import Providers
from tollkeeper.application.shielded import shielded
from tollkeeper.domain.errors import Timeout
from tollkeeper.domain.meters import Meter, Provenance
from tollkeeper.domain.principals import Principal
from tollkeeper.domain.transcripts import Transcript, TranscriptionRequest
from tollkeeper.ports.telemetry import Telemetry
from tollkeeper.ports.transcriber import Transcriber

OPERATION = "audio:transcribe"
_MILLISECOND = timedelta(milliseconds=1)


def _milliseconds(duration: timedelta) -> int:
    """Count whole milliseconds, a begun one as one."""
    return -(-duration // _MILLISECOND)


@frozen
class Transcribe:
    """Write down what is said in a recording, and charge its seconds."""

    transcribers: Providers[Transcriber]
    admissions: Admissions
    metered_calls: MeteredCalls
    answers: Answers
    telemetry: Telemetry

    async def __call__(
        self,
        principal: Principal,
        *,
        model: str,
        audio: bytes,
        idempotency_key: str | None = None,
    ) -> Transcript:
        """Return the transcript of *audio* by *model* (``provider/name``), with its receipt.

        The decoded length is charged, by the millisecond; a recording that is refused, and one
        in which the provider bills nothing, costs nothing.

        Raises:
            DomainError: it is not allowed or affordable, or *audio* cannot be decoded.
            PortError: the provider failed; nothing was charged.
        """
        with self.telemetry.span("transcribe", {"gen_ai.request.model": str(model)}) as span:
            transcriber, name = self.transcribers.serving(model)
            request = TranscriptionRequest(model=name, audio=audio)
            admission = await self.admissions.admit(
                principal, operation=OPERATION, model=model, meters=[Meter.AUDIO_MILLISECONDS]
            )
            length = await transcriber.measure(request)
            call = await self.metered_calls.begin(
                admission,
                bounds={Meter.REQUESTS: 1, Meter.AUDIO_MILLISECONDS: _milliseconds(length)},
                idempotency_key=idempotency_key,
                fingerprint=fingerprint(request) if idempotency_key is not None else "",
            )
            span.set("tollkeeper.call_id", call.hold.id)
            if call.replayed:
                return await self.answers.transcript(call)
            async with call:
                timeout = self.metered_calls.policy.call_timeout
                try:
                    async with asyncio.timeout(timeout.total_seconds()) as call.deadline:
                        transcript = await transcriber.transcribe(request)
                except TimeoutError as error:
                    provider = model.partition("/")[0]
                    raise Timeout(
                        f"{provider} did not finish within {timeout.total_seconds():g} s",
                        port="transcriber",
                        adapter=provider,
                        ambiguous=True,
                    ) from error
                keep = idempotency_key is not None
                return await shielded(lambda: self._settle(call, transcript, keep_answer=keep))

    async def _settle(
        self, call: MeteredCall, transcript: Transcript, *, keep_answer: bool
    ) -> Transcript:
        billed = _milliseconds(transcript.billed)
        quantities = {Meter.REQUESTS: 1, Meter.AUDIO_MILLISECONDS: billed} if billed else {}
        receipt = await call.capture(quantities, Provenance.REPORTED)
        transcript = evolve(transcript, receipt=receipt)
        if keep_answer:
            await self.answers.keep(call, transcript)
        return transcript
