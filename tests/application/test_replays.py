"""Replays under an idempotency key: settings, plans and the catalogue may change in between."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from attrs import define, field

from tests.application.asked_models import HELLO, answer, ask, failing, streamed
from tests.application.world import World, open_world
from tollkeeper import Completion, JsonSchema, Plan, PromptCache, Tool, user
from tollkeeper.adapters.memory.cache import MemoryCache
from tollkeeper.adapters.memory.chat_model import MemoryChatModel
from tollkeeper.adapters.system.clock import SystemClock
from tollkeeper.application.chat_options import OF_THE_CALL, ChatOptions
from tollkeeper.domain.errors import Conflict, IdempotencyConflict, TollkeeperError, Unavailable

pytestmark = pytest.mark.anyio
CARD = """
[[models]]
id = "{provider}/m"
name = "{name}"
prices = "{priced_as}"
aliases = ["writer"]
max_output = {most}
cache_minimum = {minimum}
capabilities = ["tools", "prompt_cache", "json_schema", "json"]
[models.quirks]
unsupported = [{unsupported}]
"""


def card(
    provider: str = "offline",
    priced_as: str = "offline/m",
    name: str = "m-1",
    most: int = 4000,
    minimum: int = 2048,
    unsupported: str = "",
) -> str:
    """Write a catalogue of one model."""
    return CARD.format(
        provider=provider,
        priced_as=priced_as,
        name=name,
        most=most,
        minimum=minimum,
        unsupported=unsupported,
    )


@define
class House:
    """A store and a cache that outlast the facades, which are opened with other settings."""

    folder: Path
    model: MemoryChatModel = field(factory=lambda: MemoryChatModel(answer()))
    cache: MemoryCache = field(factory=lambda: MemoryCache(SystemClock()))

    def open(self, catalogue: str = "", **options: Any) -> Any:
        """Open a facade."""
        if catalogue:
            path = self.folder / "catalogue.toml"
            path.write_text(catalogue)
            options["catalogue"] = str(path)
        return open_world(
            self.folder,
            store=f"sqlite:///{self.folder}/tollkeeper.db",
            options=options,
            cache=self.cache,
            chat_models={"offline": self.model, "tokens": self.model},
        )


@pytest.fixture
def house(tmp_path: Path) -> House:
    """Return a house in which nothing was asked yet."""
    return House(tmp_path)


async def _asked(world: World, model: str, *, stream: bool = False, **options: Any) -> Completion:
    options = {"idempotency_key": "once", **options}
    if stream:
        return await streamed(world, model, **options).completion()
    return await ask(world, model, **options)


_OFFERS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "default_max_tokens": ({"default_max_tokens": 100}, {"default_max_tokens": 200}),
    "on_unsupported": ({"on_unsupported": "refuse"}, {"on_unsupported": "drop"}),
    "call_timeout": ({}, {"tries": 5}),
    "a model that becomes known": ({}, {"catalogue": card()}),
    "its name at the provider": ({"catalogue": card()}, {"catalogue": card(name="m-2")}),
    "what it can write": ({"catalogue": card()}, {"catalogue": card(most=10)}),
    "what it can cache": ({"catalogue": card()}, {"catalogue": card(minimum=64)}),
    "its quirks": ({"catalogue": card()}, {"catalogue": card(unsupported='"seed", "user"')}),
}


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize(("first", "then"), list(_OFFERS.values()), ids=list(_OFFERS))
async def test_a_replay_after_a_change_of_settings_or_catalogue_gets_the_first_answer(
    house: House, first: dict[str, Any], then: dict[str, Any], stream: bool
) -> None:
    asked: dict[str, Any] = {"prompt_cache": PromptCache(), "tools": [Tool("a")]}
    async with house.open(**first) as world:
        one = await _asked(world, "offline/m", stream=stream, **asked)
    async with house.open(**then) as world:
        two = await _asked(world, "offline/m", stream=not stream, **asked)
        assert two == one
        assert (await world.balance())[0] == "0.99"
    assert len(house.model.requests) == 1


@pytest.mark.parametrize("model", ["offline/m", "tokens/m"])
async def test_a_replay_under_another_plan_gets_the_first_answer(house: House, model: str) -> None:
    async with house.open() as world:
        one = await _asked(world, model)
        await world.tk.define_plan(Plan("small", max_output_tokens=10, markup_bps=500))
        await world.tk.subscribe_account(account="acme", plan="small")
        assert await _asked(world, model) == one
        assert await _asked(world, model, stream=True) == one
    assert len(house.model.requests) == 1


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
async def test_a_replay_after_a_change_of_price_gets_the_first_answer(
    house: House, stream: bool
) -> None:
    async with house.open() as world:
        one = await _asked(world, "tokens/m", stream=stream)
    async with house.open(card("tokens", priced_as="spare/m")) as world:
        assert await _asked(world, "tokens/m", stream=stream) == one
        # What is asked for is another matter, however the price stands.
        for other in ({"messages": [user("Jello")]}, {"max_tokens": 7}, {"seed": 1}):
            with pytest.raises(IdempotencyConflict):
                await _asked(world, "tokens/m", stream=stream, **other)
        with pytest.raises(IdempotencyConflict):
            await _asked(world, "tokens/n", stream=stream)
        assert (await world.balance())[0] == "0.99998"
    assert len(house.model.requests) == 1


async def test_at_another_price_an_answer_that_is_gone_is_a_conflict_and_is_not_asked_for_again(
    house: House,
) -> None:
    async with house.open() as world:
        await _asked(world, "tokens/m")
    house.cache = MemoryCache(SystemClock())
    async with house.open(default_max_tokens=7) as world:
        with pytest.raises(IdempotencyConflict):
            await _asked(world, "tokens/m")
    async with house.open() as world:
        with pytest.raises(Conflict) as caught:
            await _asked(world, "tokens/m")
        assert caught.value.code == "already_charged"
    assert len(house.model.requests) == 1


async def test_a_try_that_failed_may_be_made_again_under_other_settings(house: House) -> None:
    house.model = MemoryChatModel(failing(), answer())
    async with house.open(tries=1) as world:
        with pytest.raises(Unavailable):
            await _asked(world, "offline/m")
    async with house.open(card(most=10), on_unsupported="drop", default_max_tokens=9) as world:
        assert (await _asked(world, "offline/m")).text == "General Kenobi"


async def test_no_account_gets_the_answer_that_another_had_under_its_key(house: House) -> None:
    async with house.open() as world:
        one = await _asked(world, "tokens/m")
        other = World(world.tk, type(world.principal)("other", world.principal.scopes))
        await other.grant("1.00")
        assert (await _asked(other, "tokens/m")).receipt != one.receipt
    assert len(house.model.requests) == 2


@pytest.mark.parametrize(
    ("one", "two"),
    [
        ({"temperature": 1}, {"temperature": 1.0}),
        ({"temperature": 0.0}, {"temperature": -0.0}),
        ({"stop": "x"}, {"stop": ("x",)}),
        ({}, {"max_tokens": None, "temperature": None, "tools": [], "stop": [], "extra": {}}),
        ({}, {"tool_choice": "auto", "response_format": "text"}),
        ({}, dict.fromkeys(ChatOptions.__annotations__.keys() - OF_THE_CALL)),
        ({"extra": {"a": 1, "b": [1, 2]}}, {"extra": {"b": (1.0, 2), "a": 1.0}}),
        ({"metadata": {"a": "1", "b": "2"}}, {"metadata": {"b": "2", "a": "1"}}),
        (
            {"tools": [Tool("t", "", {"type": "object", "properties": {"n": {"maximum": 1}}})]},
            {"tools": (Tool("t", "", {"properties": {"n": {"maximum": 1.0}}, "type": "object"}),)},
        ),
        ({"messages": [user("Hi")]}, {"messages": (user(["Hi"]),)}),
        ({"extra": {"a": {1: "x", "b": "y"}}}, {"extra": {"a": {"b": "y", 1: "x"}}}),
        ({"timeout": None}, {"fallbacks": [], "most_cost": None, "cache": False}),
    ],
    ids=lambda each: ",".join(sorted(each)) or "nothing",
)
async def test_the_same_call_in_other_words_is_a_replay(
    house: House, one: dict[str, Any], two: dict[str, Any]
) -> None:
    async with house.open() as world:
        first = await _asked(world, "offline/m", **one)
        assert await _asked(world, "offline/m", **two) == first
    assert len(house.model.requests) == 1


@pytest.mark.parametrize(
    "other",
    [
        {"temperature": 0.5},
        {"temperature": None},
        {"max_tokens": 8},
        {"max_tokens": None},
        {"extra": {"a": True}},
        {"extra": {"a": "1"}},
        {"extra": {"a": None}},
        {"extra": {}},
        {"response_format": JsonSchema("s", {"const": 1})},
        {"response_format": "json"},
        {"on_unsupported": "drop"},
        {"prompt_cache": PromptCache(ttl="1h")},
        {"messages": [*HELLO, user("")]},
    ],
    ids=str,
)
async def test_another_call_under_the_key_is_a_conflict(
    house: House, other: dict[str, Any]
) -> None:
    asked: dict[str, Any] = {
        "temperature": 1,
        "max_tokens": 9,
        "extra": {"a": 1},
        "prompt_cache": PromptCache(),
    }
    async with house.open() as world:
        await _asked(world, "offline/m", **asked)
        with pytest.raises(TollkeeperError) as caught:
            await _asked(world, "offline/m", **{**asked, **other})
        assert type(caught.value) is IdempotencyConflict
    assert len(house.model.requests) == 1


@pytest.mark.parametrize("change", [card(name="m-2"), card(unsupported='"user"'), card(most=10)])
async def test_the_response_cache_knows_what_changes_the_answer(house: House, change: str) -> None:
    for catalogue in (card(), card(minimum=2048), change):
        async with house.open(catalogue, response_ttl=timedelta(hours=1)) as world:
            await ask(world, "offline/m")
    assert len(house.model.requests) == 2
