"""Chat models over HTTP with one fault each, in what they ask and how they read the answer."""

from typing import Any

import attrs

from tests.kit.sound_wire_model import Sound
from tollkeeper.domain.chat import ChatRequest
from tollkeeper.domain.completions import Completion, Delta, FinishReason, TokenUsage
from tollkeeper.domain.messages import Role, TextPart
from tollkeeper.domain.quirks import NO_QUIRKS


class WesternAlone(Sound):
    """Reads text in a character set of its own."""

    def answer(self, answer: Completion, request: ChatRequest) -> Completion:
        return attrs.evolve(answer, text=answer.text.encode("latin-1", "replace").decode("latin-1"))


class EndsAtDone(Sound):
    """Takes text that looks like the end for the end."""

    def answer(self, answer: Completion, request: ChatRequest) -> Completion:
        return attrs.evolve(answer, text=answer.text.partition("data: [DONE]")[0])


class ReadsLittle(Sound):
    """Reads a megabyte at most."""

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more, largest_response=1_000_000)


class NamesWhatWasAsked(Sound):
    """Names the model that was asked for in the place of the one that answered."""

    def answer(self, answer: Completion, request: ChatRequest) -> Completion:
        return attrs.evolve(answer, model=request.model)


class AlwaysStops(Sound):
    """Takes every reason for a stop."""

    def answer(self, answer: Completion, request: ChatRequest) -> Completion:
        return attrs.evolve(answer, finish_reason=FinishReason.STOP)


class SaysWhoCharges(Sound):
    """Fills in what is the use cases' to fill in."""

    def answer(self, answer: Completion, request: ChatRequest) -> Completion:
        return attrs.evolve(answer, provider="openai")


class ThinksAloud(Sound):
    """Mixes thoughts into the text."""

    format = "xai"

    def answer(self, answer: Completion, request: ChatRequest) -> Completion:
        return attrs.evolve(answer, text=answer.reasoning + answer.text, reasoning="")


class LosesProbabilities(Sound):
    """Leaves the probabilities of the tokens out."""

    def answer(self, answer: Completion, request: ChatRequest) -> Completion:
        return attrs.evolve(answer, logprobs=())


class LosesFragments(Sound):
    """Keeps the first fragments of arguments only."""

    def piece(self, delta: Delta, request: ChatRequest) -> Delta:
        kept = tuple(c for c in delta.tool_calls if c.id or len(c.arguments) > 3)
        return attrs.evolve(delta, tool_calls=kept)


class OneCallForAll(Sound):
    """Gives all calls the number 0."""

    def piece(self, delta: Delta, request: ChatRequest) -> Delta:
        calls = tuple(attrs.evolve(call, index=0) for call in delta.tool_calls)
        return attrs.evolve(delta, tool_calls=calls)


class SameIds(Sound):
    """Gives all calls one id."""

    def answer(self, answer: Completion, request: ChatRequest) -> Completion:
        calls = tuple(attrs.evolve(call, id="call") for call in answer.tool_calls)
        return attrs.evolve(answer, tool_calls=calls)


class CallsWithoutAWord(Sound):
    """Drops the text of an answer that calls a tool."""

    def answer(self, answer: Completion, request: ChatRequest) -> Completion:
        return attrs.evolve(answer, text="") if answer.tool_calls else answer


class ForgetsSignatures(Sound):
    """Gives calls without their signatures."""

    format = "gemini"

    def answer(self, answer: Completion, request: ChatRequest) -> Completion:
        calls = tuple(attrs.evolve(call, signature="") for call in answer.tool_calls)
        return attrs.evolve(answer, tool_calls=calls)


class ChoosesItself(Sound):
    """Leaves the choice of tools to the model."""

    def asked(self, request: ChatRequest) -> ChatRequest:
        return attrs.evolve(request, tool_choice="auto", parallel_tool_calls=None)


class CountsTwice(Sound):
    """Leaves cached tokens in the pool of those that were read."""

    def answer(self, answer: Completion, request: ChatRequest) -> Completion:
        if answer.usage is None:
            return answer
        usage = attrs.evolve(answer.usage, input=answer.usage.input + answer.usage.cached_input)
        return attrs.evolve(answer, usage=usage)


class MakesUsageUp(Sound):
    """Counts for itself where the provider does not."""

    def answer(self, answer: Completion, request: ChatRequest) -> Completion:
        return attrs.evolve(answer, usage=answer.usage or TokenUsage(input=1, output=1))


class ZeroIsNothing(Sound):
    """Takes a report of zero for none."""

    def answer(self, answer: Completion, request: ChatRequest) -> Completion:
        counted = answer.usage is not None and answer.usage.total
        return attrs.evolve(answer, usage=answer.usage if counted else None)


class RepeatsUsage(Sound):
    """Reports the usage with each piece."""

    def piece(self, delta: Delta, request: ChatRequest) -> Delta:
        return attrs.evolve(delta, usage=delta.usage or TokenUsage(input=1))


class ForgetsTheSystem(Sound):
    """Sends no system messages."""

    def asked(self, request: ChatRequest) -> ChatRequest:
        kept = [message for message in request.messages if message.role is not Role.SYSTEM]
        return attrs.evolve(request, messages=kept)


class ForgetsWhatIsExtra(Sound):
    """Sends nothing extra, and no bound of the caller's."""

    def asked(self, request: ChatRequest) -> ChatRequest:
        return attrs.evolve(request, extra={}, max_tokens=99, stop=())


class ForgetsTheForm(Sound):
    """Answers in prose where JSON was asked for."""

    def asked(self, request: ChatRequest) -> ChatRequest:
        return attrs.evolve(request, response_format="text")


class ForgetsThoughts(Sound):
    """Does not give thoughts back."""

    format = "openrouter"

    def answer(self, answer: Completion, request: ChatRequest) -> Completion:
        return attrs.evolve(answer, thoughts=())


class DropsInSilence(Sound):
    """Drops what the model does not take, and says nothing of it."""

    def asked(self, request: ChatRequest) -> ChatRequest:
        return attrs.evolve(request, on_unsupported="drop")

    def answer(self, answer: Completion, request: ChatRequest) -> Completion:
        return attrs.evolve(answer, warnings=())


class ChangesTheRequest(Sound):
    """Writes into what it was given."""

    def asked(self, request: ChatRequest) -> ChatRequest:
        if request.extra:
            request.extra["seen"] = True  # type: ignore[index]
        return request


class ForgetsToolsAndImages(Sound):
    """Asks in words alone."""

    def asked(self, request: ChatRequest) -> ChatRequest:
        texts = [
            attrs.evolve(message, content=[p for p in message.content if isinstance(p, TextPart)])
            for message in request.messages
        ]
        return attrs.evolve(request, messages=texts, tools=())


class ForgetsResults(Sound):
    """Keeps what tools said to itself."""

    def asked(self, request: ChatRequest) -> ChatRequest:
        kept = [message for message in request.messages if message.role is not Role.TOOL]
        return attrs.evolve(request, messages=kept)


class ForgetsQuirks(Sound):
    """Knows nothing of models, and sets a temperature of its own."""

    def asked(self, request: ChatRequest) -> ChatRequest:
        return attrs.evolve(request, quirks=NO_QUIRKS, temperature=0.7)
