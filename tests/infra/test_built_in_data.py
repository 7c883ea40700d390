"""The built-in catalogue and prices are read once in a process, and nobody can change them."""

import pickle
import time
from collections.abc import Iterator
from copy import deepcopy
from datetime import UTC, datetime
from enum import Enum
from pathlib import Path
from types import MappingProxyType, NoneType
from typing import Any

import pytest
from attrs import evolve, fields, has
from attrs.exceptions import FrozenInstanceError

from tollkeeper.domain.chat import ChatRequest
from tollkeeper.domain.errors import Unsupported
from tollkeeper.domain.messages import user
from tollkeeper.domain.meters import Meter
from tollkeeper.domain.read_only import read_only
from tollkeeper.infra.bootstrap import make_container, make_facade
from tollkeeper.infra.catalogue import load_catalogue
from tollkeeper.infra.facade import Tollkeeper
from tollkeeper.infra.price_book import load_price_book
from tollkeeper.infra.settings import Settings

NOW = datetime(2026, 11, 25, tzinfo=UTC)
IMMUTABLE = (str, int, float, NoneType, datetime, Enum)
HOUSE = """
[[models]]
id = "openai/gpt-4o"
extends = true
enabled = false
aliases = ["mine"]
[models.quirks]
fixed = { temperature = 1 }
headers = { x-house = "1" }
[[models]]
id = "house/writer"
capabilities = ["streaming"]
"""
PRICES = """
[[prices]]
model = "openai/gpt-4o"
input_tokens = "9 per 1"
output_tokens = "9 per 1"
[[prices]]
model = "house/writer"
input_tokens = "1 per 1"
output_tokens = "1 per 1"
"""


def names_of(thing: object) -> list[str]:
    """Return the names of the fields of *thing*, if it is an attrs object."""
    kind: Any = type(thing)
    return [each.name for each in fields(kind)] if has(kind) else []


def reachable(root: object) -> Iterator[object]:
    """Give *root* and all that can be reached from it."""
    waiting, seen = [root], set[int]()
    while waiting:
        thing = waiting.pop()
        if id(thing) in seen:
            continue
        seen.add(id(thing))
        yield thing
        if isinstance(thing, tuple | frozenset):
            waiting.extend(thing)
        elif isinstance(thing, MappingProxyType):
            waiting.extend((*thing.keys(), *thing.values()))
        else:
            waiting.extend(getattr(thing, name) for name in names_of(thing))


@pytest.mark.parametrize("root", [load_catalogue(None), load_price_book(None)], ids=["models", ""])
def test_nothing_that_can_be_reached_can_be_changed(root: object) -> None:
    found = list(reachable(root))
    assert len(found) > 1_000
    for thing in found:
        if isinstance(thing, (*IMMUTABLE, tuple, frozenset, MappingProxyType)):
            continue
        assert has(type(thing)), type(thing)
        assert not hasattr(thing, "__dict__"), type(thing)
        for name in names_of(thing):
            with pytest.raises(FrozenInstanceError):
                setattr(thing, name, None)


def test_a_read_only_mapping_keeps_no_hold_on_what_it_was_made_of() -> None:
    made_of = {"a": 1}
    made = read_only(made_of)
    made_of["a"] = 2
    assert made == {"a": 1}
    with pytest.raises(TypeError):
        made["a"] = 2  # type: ignore[index]


def test_what_is_built_in_is_read_once() -> None:
    first, second = load_catalogue(None), load_catalogue(None)
    assert first is second
    one, other = load_price_book(None), load_price_book(None)
    assert one.entries is other.entries
    began = time.process_time()
    for _ in range(10):
        load_catalogue(None)
        load_price_book(None)
    print(f"catalogue and prices: {(time.process_time() - began) * 100:.2f} ms of CPU")


def facade(folder: Path, name: str, models: str = "", prices: str = "") -> Tollkeeper:
    given: dict[str, Any] = {}
    for field, text in (("catalogue", models), ("price_book", prices)):
        if text:
            path = folder / f"{name}-{field}.toml"
            path.write_text(text, "utf-8")
            given[field] = str(path)
    return make_facade(make_container(Settings(store="memory://", transcribers={}, **given)))


def test_what_one_host_lays_over_it_reaches_no_other_facade(tmp_path: Path) -> None:
    before = facade(tmp_path, "before")
    house = facade(tmp_path, "house", HOUSE, PRICES)
    other = facade(tmp_path, "other", HOUSE.replace('"mine"', '"theirs"'), PRICES.replace("9", "7"))
    after = facade(tmp_path, "after")

    def price(tk: Tollkeeper, model: str = "openai/gpt-4o") -> str:
        return tk.price_book.prices_of(model, at=NOW).prices[Meter.INPUT_TOKENS].amount.amount

    for plain in (before, after):
        card = plain.catalogue.card("openai/gpt-4o")
        assert card is not None
        assert (card.enabled, card.quirks.headers) == (True, {})
        assert plain.catalogue.card("mine") is plain.catalogue.card("theirs") is None
        assert plain.catalogue.card("house/writer") is None
        assert price(plain) == "2.50"
        with pytest.raises(Unsupported):
            price(plain, "house/writer")
    assert (price(house), price(other)) == ("9.00", "7.00")
    mine = house.catalogue.card("mine")
    assert mine is not None
    assert (mine.enabled, mine.quirks.headers) == (False, {"x-house": "1"})
    assert house.catalogue.card("theirs") is None
    # What neither changed is one and the same for all of them.
    untouched = {id(tk.catalogue.card("openai/gpt-4.1")) for tk in (before, house, other, after)}
    assert len(untouched) == 1


def test_a_default_price_of_one_host_is_not_anothers() -> None:
    prices = load_price_book(None).prices_of("openai/gpt-4o", at=NOW)
    flagged = load_price_book(None, evolve(prices, model="*"))
    assert flagged.prices_of("nobody/knows", at=NOW).flagged
    with pytest.raises(Unsupported):
        load_price_book(None).prices_of("nobody/knows", at=NOW)


def test_cards_prices_and_requests_can_be_copied_and_sent_to_other_processes() -> None:
    card = load_catalogue(None).card("anthropic/claude-opus-5")
    assert card is not None
    prices = load_price_book(None).prices_of("openai/gpt-5.4", at=NOW)
    request = ChatRequest("m", [user("Hi")], 10, quirks=card.quirks)
    for value in (card, prices, request, load_catalogue(None), load_price_book(None)):
        assert deepcopy(value) == value
        assert pickle.loads(pickle.dumps(value)) == value
    copied = pickle.loads(pickle.dumps(prices))
    bounds = {Meter.INPUT_TOKENS: 300_000, Meter.OUTPUT_TOKENS: 10}
    assert copied.worst_case(bounds) == prices.worst_case(bounds)
    assert copied.for_input(300_000) == prices.for_input(300_000)
