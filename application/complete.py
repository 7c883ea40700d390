"""Complete a chat."""

import asyncio
from collections.abc import Sequence
from typing import Unpack

from attrs import frozen

from tollkeeper.application.answers import Answers
from tollkeeper.application.asking import Asking
from tollkeeper.application.chat_attempts import WholeAnswer, check_format
from tollkeeper.application.chat_call import AdmittedChat, ChatCall, measured
from tollkeeper.application.chat_calls import ChatCalls
from tollkeeper.application.chat_options import ChatOptions
from tollkeeper.application.live_attempt import LiveAttempt
from tollkeeper.application.response_cache import ResponseCache
from tollkeeper.application.shielded import shielded
from tollkeeper.domain.completions import Completion
from tollkeeper.domain.errors import Timeout
from tollkeeper.domain.messages import Message
from tollkeeper.domain.principals import Principal
from tollkeeper.ports.chat_model import ChatModel
from tollkeeper.ports.telemetry import Span, Telemetry


@frozen
class Complete:
    """Ask a model for a whole answer, and charge what it took."""

    chat_calls: ChatCalls
    asking: Asking
    answers: Answers
    responses: ResponseCache
    telemetry: Telemetry

    async def __call__(
        self,
        principal: Principal,
        *,
        model: str,
        messages: Sequence[Message],
        **options: Unpack[ChatOptions],
    ) -> Completion:
        """Return the answer of *model* (``provider/name`` or an alias), with its receipt.

        What fails is tried again, and then asked of the fallbacks, as the settings say. Nothing
        is charged unless an answer came; ``attempts`` says what was tried.

        Raises:
            DomainError: it is not allowed, not affordable or malformed; no call was made.
            PortError: the providers failed; nothing was charged. Timeout if it took too long.
            CorruptResponse: the answer was charged, and is not of the form that was asked for;
                the error's ``partial`` has it.
        """
        with self.telemetry.span("complete", {"gen_ai.request.model": str(model)}) as span:
            admitted = await self.chat_calls.admit(principal, model, messages, options)
            deadline = asyncio.get_running_loop().time() + admitted.timeout.total_seconds()
            name = self.responses.name_of(admitted)
            kept = await self.responses.kept(name)
            if kept is None:
                async with self.responses.flight(name, admitted, deadline=deadline):
                    kept = await self.responses.kept(name)
                    if kept is None:
                        return await self._made(admitted, span, name, deadline)
            span.set("tollkeeper.cached", True)
            return await self.responses.given_again(kept, admitted)

    async def _made(
        self, admitted: AdmittedChat, span: Span, name: str | None, deadline: float
    ) -> Completion:
        call = await self.chat_calls.begin_or_replay(admitted, self.answers)
        if isinstance(call, Completion):
            if call.receipt is not None:
                span.set("tollkeeper.call_id", call.receipt.call_id)
            check_format(admitted.request, call, self.chat_calls.schema_validator)
            return call
        span.set("tollkeeper.call_id", call.metered.hold.id)
        async with call.metered:
            try:
                async with asyncio.timeout_at(deadline) as call.metered.deadline:
                    asked = call.asked(deadline=deadline)
                    answer, attempt = await self.asking.first(asked, WholeAnswer(call))
            except TimeoutError as error:
                provider = admitted.choices[0].route.provider
                raise Timeout(
                    f"{provider} did not answer within {admitted.timeout.total_seconds():g} s",
                    port="chat_model",
                    adapter=provider,
                    ambiguous=True,
                ) from error
            answer = await shielded(lambda: self._settle(call, attempt, answer))
        if answer.receipt is not None:
            span.set("tollkeeper.charged_nanos", answer.receipt.charged.nanos)
        span.set("gen_ai.provider.name", answer.provider)
        span.set("tollkeeper.attempts", len(answer.attempts))
        check_format(call.request, answer, self.chat_calls.schema_validator)
        if attempt.route is admitted.choices[0].route:  # else another model answered
            await self.responses.keep(name, answer)
        return answer

    async def _settle(
        self, call: ChatCall, attempt: LiveAttempt[ChatModel], answer: Completion
    ) -> Completion:
        answer = await settled(call, attempt, answer)
        if call.keep_answer:
            await self.answers.keep(call.metered, answer)
        return answer


async def settled(
    call: ChatCall, attempt: LiveAttempt[ChatModel], answer: Completion
) -> Completion:
    """Charge *answer*, which *attempt* brought, and return it with all that is known of it."""
    usage, provenance = measured(call.request, answer)
    call.metered.served_by, call.metered.attempt = attempt.admission, attempt.number
    receipt = await call.metered.capture(usage.quantities(), provenance)
    return answer.settled(
        usage=usage,
        receipt=receipt,
        provider=attempt.route.provider,
        provenance=provenance,
        attempts=call.metered.attempts,
    )
