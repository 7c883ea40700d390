"""A chat model for tests: it plays what it was handed and remembers what it was asked."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable

from tollkeeper.domain.chat import ChatRequest
from tollkeeper.domain.completion_builder import CompletionBuilder
from tollkeeper.domain.completions import Completion, Delta, FinishReason, TokenUsage
from tollkeeper.domain.credentials import Credential
from tollkeeper.domain.errors import CorruptResponse

Item = Delta | Exception | Callable[[], Awaitable[object]]
Answer = Iterable[Item] | Callable[[ChatRequest], Iterable[Item]]

HELLO: tuple[Item, ...] = (
    Delta(text="Hello", model="memory"),
    Delta(finish_reason=FinishReason.STOP, usage=TokenUsage(input=1, output=1)),
)


class MemoryChatModel:
    """Plays *answers* one after the other; the last one again and again.

    An answer is a series of deltas, of errors, which are raised, and of functions, which are
    awaited (``event.wait`` holds the model there); or a function that makes such a series of the
    request. Without answers the model says hello.
    """

    def __init__(self, *answers: Answer) -> None:
        self._answers = [answer if callable(answer) else tuple(answer) for answer in answers]
        self.requests: list[ChatRequest] = []
        """What was asked, the oldest first."""
        self.credentials: list[Credential | None] = []
        """What each request was given to authenticate with."""
        self.abandoned: list[ChatRequest] = []
        """Of these, the ones whose caller left before the answer had ended."""

    async def complete(
        self, request: ChatRequest, *, credential: Credential | None = None
    ) -> Completion:
        """Play the next answer as a whole."""
        builder = CompletionBuilder()
        async for delta in self.stream(request, credential=credential):
            builder.add(delta)
        return builder.build()

    async def stream(
        self, request: ChatRequest, *, credential: Credential | None = None
    ) -> AsyncGenerator[Delta, None]:
        """Play the next answer in its pieces."""
        answer: Answer = HELLO
        if self._answers:
            answer = self._answers[min(len(self.requests), len(self._answers) - 1)]
        self.requests.append(request)
        self.credentials.append(credential)
        finished, left_early = False, True
        try:
            for item in answer(request) if callable(answer) else answer:
                if isinstance(item, Exception):
                    left_early = False
                    raise item
                if not isinstance(item, Delta):
                    await item()
                    continue
                finished = finished or item.finish_reason is not None
                yield item
            left_early = False
        finally:
            if left_early:
                self.abandoned.append(request)
        if not finished:
            raise CorruptResponse(
                "the answer that was to be played ends before it is complete",
                port="chat_model",
                adapter="memory",
            )
