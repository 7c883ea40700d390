"""Complete a chat."""

import asyncio
from collections.abc import Sequence
from typing import Unpack

from attrs import evolve, frozen

from tollkeeper.application.answers import Answers
from tollkeeper.application.chat_call import ChatCall, ChatCalls, ChatOptions, measured
from tollkeeper.application.shielded import shielded
from tollkeeper.domain.completions import Completion
from tollkeeper.domain.errors import Timeout
from tollkeeper.domain.messages import Message
from tollkeeper.domain.principals import Principal
from tollkeeper.ports.telemetry import Telemetry


@frozen
class Complete:
    """Ask a model for a whole answer, and charge what it took."""

    chat_calls: ChatCalls
    answers: Answers
    telemetry: Telemetry

    async def __call__(
        self,
        principal: Principal,
        *,
        model: str,
        messages: Sequence[Message],
        **options: Unpack[ChatOptions],
    ) -> Completion:
        """Return the answer of *model* (``provider/name``), with the receipt of its charge.

        Nothing is charged unless an answer came.

        Raises:
            DomainError: it is not allowed, not affordable or malformed; no call was made.
            PortError: the provider failed; nothing was charged. Timeout if it took too long.
        """
        with self.telemetry.span("complete", {"gen_ai.request.model": str(model)}) as span:
            call = await self.chat_calls.begin(principal, model, messages, options)
            span.set("tollkeeper.call_id", call.metered.hold.id)
            if call.metered.replayed:
                return await self.answers.completion(call.metered)
            async with call.metered:
                try:
                    seconds = call.timeout.total_seconds()
                    async with asyncio.timeout(seconds) as call.metered.deadline:
                        answer = await call.chat_model.complete(call.request)
                except TimeoutError as error:
                    provider = model.partition("/")[0]
                    raise Timeout(
                        f"{provider} did not answer within {call.timeout.total_seconds():g} s",
                        port="chat_model",
                        adapter=provider,
                        ambiguous=True,
                    ) from error
                answer = await shielded(lambda: self._settle(call, answer))
            span.set(
                "tollkeeper.charged_nanos", answer.receipt.charged.nanos if answer.receipt else 0
            )
            return answer

    async def _settle(self, call: ChatCall, answer: Completion) -> Completion:
        usage, provenance = measured(call.request, answer)
        receipt = await call.metered.capture(usage.quantities(), provenance)
        answer = evolve(answer, usage=usage, receipt=receipt)
        if call.keep_answer:
            await self.answers.keep(call.metered, answer)
        return answer
