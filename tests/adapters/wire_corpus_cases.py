"""The corpus of recorded shapes, and what an adapter that serves a provider makes of it."""

from collections.abc import Iterator
from typing import Any

import attrs
import pytest

from tests.servers.wire_server import WireServer
from tests.wire.corpus import Example, Expected, ExpectedCall, ExpectedLogprob, ExpectedUsage
from tests.wire.corpus import examples as examples_of
from tests.wire.playing import recorded
from tollkeeper.contracts.chat_wire_suite import Broken, Caller, asking
from tollkeeper.domain import errors
from tollkeeper.domain.completions import Completion
from tollkeeper.domain.errors import PortError
from tollkeeper.ports.chat_model import ChatModel


def cases(*providers: str) -> list[Any]:
    """List the examples of *providers*, in each form that they have."""
    found = []
    for example in (example for provider in providers for example in examples_of(provider)):
        failed = example.status != 200
        if example.body is not None:
            found.append(pytest.param(example, False, id=f"{example.id}-whole"))
        if example.stream is not None or failed:
            found.append(pytest.param(example, True, id=f"{example.id}-streamed"))
    return found


async def decoded(
    chat_model: ChatModel, server: WireServer, example: Example, *, streamed: bool
) -> Expected:
    """Return what the adapter makes of *example*, in the corpus's own words."""
    server.script("recorded", recorded(example))
    caller = Caller(chat_model, "(nothing in the corpus is secret)")
    request = asking("recorded")
    if example.expected.error is None:
        return _answered(await caller.ask(request, streamed=streamed))
    broken = await caller.fail(request, streamed=streamed)
    if isinstance(broken.error, PortError) and example.status != 200:
        assert broken.error.status == example.status
    return _failed(broken)


def wanted(example: Example, *, streamed: bool) -> Expected:
    """Return what the adapter must make of it."""
    expected = example.expected
    if expected.error is None:
        return expected
    code = expected.code or getattr(errors, expected.error).default_code
    return Expected(
        text=expected.text if streamed else "",
        error=expected.error,
        code=code,
        retry_after=expected.retry_after,
    )


def _answered(answer: Completion) -> Expected:
    ids = [call.id for call in answer.tool_calls]
    assert all(ids)
    assert len(set(ids)) == len(ids)
    return Expected(
        text=answer.text,
        reasoning=answer.reasoning,
        signature="".join(thought.signature for thought in answer.thoughts),
        redacted="".join(thought.redacted for thought in answer.thoughts),
        refusal=answer.refusal,
        finish_reason=str(answer.finish_reason),
        tool_calls=tuple(
            ExpectedCall(call.name, call.parsed_arguments(), call.signature)
            for call in answer.tool_calls
        ),
        logprobs=tuple(ExpectedLogprob(one.token, one.logprob) for one in answer.logprobs),
        usage=None if answer.usage is None else ExpectedUsage(**dict(_pools(answer))),
    )


def _pools(answer: Completion) -> Iterator[tuple[str, int]]:
    known = attrs.fields_dict(ExpectedUsage)
    for name, count in attrs.asdict(answer.usage).items() if answer.usage else ():
        assert name in known or not count
        if name in known:
            yield name, count


def _failed(broken: Broken) -> Expected:
    error = broken.error
    after = getattr(error, "retry_after", None)
    return Expected(
        text=broken.came.text,
        error=type(error).__name__,
        code=error.code,
        retry_after=None if after is None else after.total_seconds(),
    )
