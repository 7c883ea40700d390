"""The response cache: the same question of the same account, at no charge."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from attrs import define, field

from tests.application.asked_models import HELLO, answer, ask, failing, streamed
from tests.application.virtual_time import LoopClock, in_virtual_time
from tests.application.world import EVERYTHING, World, open_world
from tollkeeper import Delta, FinishReason, Money, Principal, TokenUsage, user
from tollkeeper.adapters.memory.cache import MemoryCache
from tollkeeper.adapters.memory.chat_model import MemoryChatModel
from tollkeeper.domain.errors import CorruptResponse, Timeout, Unavailable
from tollkeeper.domain.meters import Meter

SECOND = timedelta(seconds=1)
KEPT = {"response_ttl": timedelta(hours=1)}


@define
class AwayCache:
    """A cache that cannot be reached, or holds what nobody can read."""

    kept: bytes | None = None
    calls: list[str] = field(factory=list)

    async def get(self, key: str) -> bytes | None:
        self.calls.append(key)
        if self.kept is None:
            raise Unavailable("away", port="cache", adapter="test")
        return self.kept

    async def set(self, key: str, value: bytes, *, ttl: timedelta) -> None:
        raise Unavailable("away", port="cache", adapter="test")

    async def add(self, key: str, value: bytes, *, ttl: timedelta) -> bool:
        raise Unavailable("away", port="cache", adapter="test")

    async def delete(self, key: str) -> bool:
        raise Unavailable("away", port="cache", adapter="test")


def _slowly(seconds: float) -> Callable[[], Any]:
    async def wait() -> None:
        await asyncio.sleep(seconds)

    return wait


def _open(folder: Path, model: MemoryChatModel, **lent: Any) -> Any:
    options = {**KEPT, **lent.pop("options", {})}
    lent.setdefault("clock", LoopClock())
    return open_world(folder, options=options, chat_models={"tokens": model}, **lent)


@in_virtual_time
async def test_a_hit_costs_nothing_is_marked_and_recorded(tmp_path: Path) -> None:
    model = MemoryChatModel(answer())
    async with _open(tmp_path, model) as world:
        first, again = await ask(world), await ask(world)
        assert (first.cached, again.cached) == (False, True)
        assert (again.text, again.usage) == (first.text, first.usage)
        assert len(model.requests) == 1
        assert again.attempts == ()
        assert again.receipt is not None
        assert again.receipt.charged.nanos == again.receipt.held.nanos == 0
        assert again.receipt.quantities == {Meter.CACHED_ANSWERS: 1}
        assert first.receipt is not None
        assert again.receipt.call_id != first.receipt.call_id
        report = await world.tk.report_usage(account="acme")
        hits = [each for each in report.totals if each.meter is Meter.CACHED_ANSWERS]
        assert [(each.quantity, each.charge.nanos) for each in hits] == [(1, 0)]
        assert await world.balance() == ("0.99998", "0.00")


@in_virtual_time
async def test_no_account_gets_anothers_answer(tmp_path: Path) -> None:
    model = MemoryChatModel(answer("for acme"), answer("for rival"))
    async with _open(tmp_path, model) as world:
        await ask(world)
        rival = World(world.tk, Principal("rival", EVERYTHING))
        await world.tk.grant_credit(
            account="rival", amount=Money.of("1", "USD"), idempotency_key="g"
        )
        for _ in range(2):
            assert (await ask(rival)).text == "for rival"
        assert (await ask(world)).text == "for acme"


@in_virtual_time
@pytest.mark.parametrize(
    "other",
    [
        {"messages": [user("Hello  there")]},
        {"max_tokens": 7},
        {"temperature": 0.5},
        {"seed": 1},
        {"stop": ["x"]},
        {"response_format": "json"},
        {"user": "u"},
        {"extra": {"x": 1}},
        {"cache": False},
        {"idempotency_key": "mine"},
    ],
    ids=lambda other: next(iter(other)),
)
async def test_another_question_is_asked(tmp_path: Path, other: dict[str, Any]) -> None:
    model = MemoryChatModel(answer('{"a": 1}'))
    async with _open(tmp_path, model) as world:
        await ask(world)
        assert not (await ask(world, **other)).cached
        assert len(model.requests) == 2


@in_virtual_time
async def test_fifty_who_ask_at_once_make_one_request(tmp_path: Path) -> None:
    model = MemoryChatModel([_slowly(5), *answer()])
    async with _open(tmp_path, model) as world:
        found = await asyncio.gather(*(ask(world) for _ in range(50)))
        assert len(model.requests) == 1
        assert sum(each.cached for each in found) == 49
        assert await world.balance() == ("0.99998", "0.00")
        assert len(world.tk.complete.responses.flights) == 0


@in_virtual_time
async def test_who_waits_for_anothers_answer_waits_no_longer_than_its_own_deadline(
    tmp_path: Path,
) -> None:
    model = MemoryChatModel([_slowly(100), *failing()])
    async with _open(tmp_path, model, options={"tries": 1}) as world:
        loop = asyncio.get_running_loop()
        calls = [asyncio.ensure_future(ask(world, timeout=SECOND * 30)) for _ in range(10)]
        began = loop.time()
        found = await asyncio.gather(*calls, return_exceptions=True)
        assert loop.time() - began == 30
        assert {type(each) for each in found} == {Timeout}
        codes = sorted(getattr(each, "code", "") for each in found)
        assert codes == ["answer_awaited"] * 9 + ["timeout"]
        assert len(world.tk.complete.responses.flights) == 0


@in_virtual_time
async def test_when_the_first_fails_the_next_asks_and_nobody_beside_it(tmp_path: Path) -> None:
    most = running = 0

    async def busy() -> None:
        nonlocal most, running
        running, most = running + 1, max(most, running + 1)
        await asyncio.sleep(1)
        running -= 1

    model = MemoryChatModel([busy, *failing()], [busy, *failing()], [busy, *answer()])
    async with _open(tmp_path, model, options={"tries": 1}) as world:

        async def later(seconds: float) -> object:
            await asyncio.sleep(seconds)
            return await ask(world)

        # Some come at the very moment at which another fails.
        waits = (0, 0, 0, 1, 1, 2, 2, 3)
        found = await asyncio.gather(*map(later, waits), return_exceptions=True)
        assert sum(isinstance(each, Unavailable) for each in found) == 2
        assert (most, len(model.requests)) == (1, 3)


@in_virtual_time
async def test_an_answer_that_is_too_old_is_asked_for_again(tmp_path: Path) -> None:
    model = MemoryChatModel(answer())
    async with _open(tmp_path, model) as world:
        await ask(world)
        await asyncio.sleep(3599)
        assert (await ask(world)).cached
        await asyncio.sleep(2)
        assert not (await ask(world)).cached


@in_virtual_time
@pytest.mark.parametrize("kept", [None, b"", b"not json", b"{}", b'{"text": 5}', b"[]"])
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
async def test_a_cache_that_fails_or_holds_nonsense_costs_a_call_and_no_more(
    tmp_path: Path, stream: bool, kept: bytes | None
) -> None:
    cache = AwayCache(kept)
    async with _open(tmp_path, MemoryChatModel(answer()), cache=cache) as world:
        found = await (streamed(world).completion() if stream else ask(world))
        assert (found.text, found.cached) == ("General Kenobi", False)
        assert cache.calls


@in_virtual_time
async def test_streams_and_whole_answers_share_what_is_kept(tmp_path: Path) -> None:
    model = MemoryChatModel(answer())
    async with _open(tmp_path, model) as world:
        first = await streamed(world).completion()
        whole, stream = await ask(world), streamed(world)
        deltas = [delta async for delta in stream]
        assert "".join(delta.text for delta in deltas) == whole.text == first.text
        assert stream.partial.cached
        assert whole.cached
        assert stream.receipt is not None
        assert stream.receipt.charged.nanos == 0
        assert len(model.requests) == 1


@in_virtual_time
@pytest.mark.parametrize(
    "said",
    [
        [Delta(text="cut"), Delta(finish_reason=FinishReason.LENGTH, usage=TokenUsage())],
        [Delta(refusal="no"), Delta(finish_reason=FinishReason.REFUSAL, usage=TokenUsage())],
        [Delta(refusal="no"), Delta(finish_reason=FinishReason.STOP, usage=TokenUsage())],
        [Delta(text="x"), Delta(finish_reason=FinishReason.CONTENT_FILTER, usage=TokenUsage())],
    ],
    ids=["length", "refusal", "refused", "filter"],
)
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
async def test_what_is_no_whole_answer_is_not_kept(
    tmp_path: Path, said: list[Delta], stream: bool
) -> None:
    model = MemoryChatModel(said)
    async with _open(tmp_path, model) as world:
        for _ in range(2):
            await (streamed(world).completion() if stream else ask(world))
        assert len(model.requests) == 2


@in_virtual_time
async def test_an_answer_of_the_wrong_form_is_not_kept_by_a_stream_either(
    tmp_path: Path,
) -> None:
    model = MemoryChatModel(answer("no json"), answer("{}"))
    async with _open(tmp_path, model) as world:
        with pytest.raises(CorruptResponse):
            await streamed(world, response_format="json").completion()
        assert (await ask(world, response_format="json")).text == "{}"


@in_virtual_time
async def test_a_stream_that_is_left_early_keeps_nothing(tmp_path: Path) -> None:
    model = MemoryChatModel(answer())
    async with _open(tmp_path, model) as world:
        async with streamed(world) as stream:
            await anext(stream)
        assert not (await ask(world)).cached


async def _calls(world: World) -> None:
    await ask(world, messages=HELLO)


@in_virtual_time
async def test_without_a_ttl_nothing_is_kept(tmp_path: Path) -> None:
    model, cache = MemoryChatModel(answer()), AwayCache()
    async with open_world(
        tmp_path, clock=LoopClock(), chat_models={"tokens": model}, cache=cache
    ) as world:
        await _calls(world)
        await _calls(world)
        assert len(model.requests) == 2
        assert cache.calls == []


@in_virtual_time
async def test_two_facades_that_share_a_cache_server_keep_accounts_apart(tmp_path: Path) -> None:
    clock = LoopClock()
    cache = MemoryCache(clock)
    model = MemoryChatModel(answer())
    async with (
        _open(tmp_path, model, cache=cache, clock=clock) as one,
        _open(tmp_path, model, cache=cache, clock=clock) as two,
    ):
        await ask(one)
        other = World(two.tk, Principal("other", EVERYTHING))
        await two.tk.grant_credit(account="other", amount=Money.of("1", "USD"), idempotency_key="g")
        assert not (await ask(other)).cached
