"""A host's own catalogue adds, replaces and extends; everything wrong in it is listed."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tollkeeper.domain.catalogue import ModelCard
from tollkeeper.domain.errors import ConfigurationError
from tollkeeper.domain.quirks import Quirks
from tollkeeper.infra.catalogue import load_catalogue

BUILT_IN = load_catalogue(None)
Write = Callable[[str], str]


def card(name: str) -> ModelCard:
    found = BUILT_IN.card(name)
    assert found is not None
    return found


@pytest.fixture
def own(tmp_path: Path) -> Write:
    """Write a catalogue and return its path."""

    def write(toml: str) -> str:
        path = tmp_path / "models.toml"
        path.write_text(toml, "utf-8")
        return str(path)

    return write


def faults(path: str) -> tuple[str, ...]:
    with pytest.raises(ConfigurationError) as refused:
        load_catalogue(path)
    return refused.value.faults


def test_a_file_of_ones_own_adds_and_replaces(own: Write) -> None:
    path = own("""
        [[models]]
        id = "house/writer"
        name = "writer-2026-01"
        aliases = ["writer"]
        context_window = 1000
        max_output = 100
        capabilities = ["tools", "json"]
        prices = "openai/gpt-4o"
        plans = ["pro*"]
        cache_minimum = 0
        larger = "openai/gpt-4o"
        unfiltered = "offline/echo"
        source = "ours"
        [models.quirks]
        unsupported = ["stop"]
        fixed = { temperature = 0.5 }
        efforts = ["low"]
        max_tokens_field = "max_tokens"
        headers = { X-House = "1" }
        extra = { top_k = 5 }
        [[models]]
        id = "openai/gpt-4o"
        context_window = 5
    """)
    catalogue = load_catalogue(path)
    assert catalogue.card("writer") == ModelCard(
        id="house/writer",
        name="writer-2026-01",
        aliases=["writer"],
        context_window=1000,
        max_output=100,
        capabilities=["tools", "json"],
        prices="openai/gpt-4o",
        plans=["pro*"],
        cache_minimum=0,
        larger="openai/gpt-4o",
        unfiltered="offline/echo",
        source="ours",
        quirks=Quirks(
            unsupported=["stop"],
            fixed={"temperature": 0.5},
            efforts=["low"],
            max_tokens_field="max_tokens",
            headers={"X-House": "1"},
            extra={"top_k": 5},
        ),
    )
    assert catalogue.card("openai/gpt-4o") == ModelCard(id="openai/gpt-4o", context_window=5)
    assert catalogue.card("openai/gpt-4o-mini") == card("openai/gpt-4o-mini")
    assert load_catalogue(None).card("openai/gpt-4o") == card("openai/gpt-4o")


def test_an_extended_model_keeps_what_the_file_does_not_say(own: Write) -> None:
    path = own("""
        [[models]]
        id = "openai/gpt-5"
        extends = true
        aliases = ["best"]
        enabled = false
        [models.quirks]
        unsupported = []
    """)
    changed, before = load_catalogue(path).card("best"), card("openai/gpt-5")
    assert changed is not None
    assert (changed.id, changed.enabled) == ("openai/gpt-5", False)
    assert changed.context_window == before.context_window
    assert changed.capabilities == before.capabilities
    assert changed.quirks.unsupported == frozenset()
    assert changed.quirks.efforts == before.quirks.efforts


def test_a_model_may_be_like_another_but_costs_what_it_costs(own: Write) -> None:
    path = own("""
        [[models]]
        id = "house/first"
        aliases = ["first"]
        name = "f1"
        prices = "openai/gpt-4o"
        capabilities = ["tools"]
        [[models]]
        id = "house/second"
        extends = "house/first"
        [[models]]
        id = "openai/ft:gpt-4o:house"
        extends = "openai/gpt-4o"
    """)
    catalogue = load_catalogue(path)
    second = catalogue.card("house/second")
    assert second == ModelCard(id="house/second", capabilities=["tools"])
    tuned = catalogue.card("openai/ft:gpt-4o:house")
    assert tuned is not None
    assert (tuned.wire_name, tuned.price_name) == ("ft:gpt-4o:house", "openai/ft:gpt-4o:house")
    assert tuned.capabilities == card("openai/gpt-4o").capabilities


MODEL = '[[models]]\nid = "a/b"\n'
QUIRKS = MODEL + "[models.quirks]\n"
WRONG: list[tuple[str, str]] = [
    ("[[models]", "the catalogue models.toml is no TOML"),
    ('[models]\nid = "a/b"', "write [[models]] above each model"),
    ("models = 5", "write [[models]] above each model"),
    ('version = "1"', "version is nothing it knows; there is [[models]]"),
    ("[[models]]\ncontext_window = 5", "models.toml, number 1: model must read provider/name"),
    ('[[models]]\nid = "b"', "models.toml, b: model must read provider/name"),
    ("[[models]]\nid = 5", "models.toml, 5: model must read provider/name"),
    (MODEL + 'provider = "a"', "models.toml, a/b: no such field: provider; there are aliases, "),
    (MODEL + "context_window = 0", "models.toml, a/b: context_window is 1 or more tokens"),
    (MODEL + 'max_output = "5"', "max_output is 1 or more tokens"),
    (MODEL + "cache_minimum = -1", "cache_minimum is 0 or more tokens"),
    (MODEL + "cache_minimum = true", "cache_minimum is 0 or more tokens"),
    (MODEL + 'enabled = "no"', "enabled is true or false"),
    (MODEL + "name = 5", "name is text"),
    (MODEL + 'aliases = "b"', "aliases is a list of names without blanks"),
    (MODEL + 'aliases = ["b c"]', "aliases is a list of names without blanks"),
    (MODEL + 'aliases = [""]', "aliases is a list of names without blanks"),
    (MODEL + 'capabilities = ["telepathy"]', "capabilities is a list of some of audio, "),
    (MODEL + 'capabilities = "tools"', "capabilities is a list of some of"),
    (MODEL + "plans = [5]", "plans is a list of texts"),
    (MODEL + "extends = true", "extends a/b, which is not known"),
    (MODEL + 'extends = "openai/unheard-of"', "extends openai/unheard-of, which is not known"),
    (MODEL + "extends = 5", "extends is true, or the id of another model"),
    (MODEL + 'larger = "a/c"', "the model a/b: no model is called a/c"),
    (MODEL + MODEL, "the model name a/b is given twice"),
    (MODEL + 'aliases = ["openai/gpt-5"]', "the model name openai/gpt-5 is given twice"),
    (MODEL + "quirks = 5", "quirks is a table, written [models.quirks]"),
    (QUIRKS + 'style = "x"', "no such field: quirks.style; there are efforts, extra, "),
    (QUIRKS + 'unsupported = ["heat"]', "quirks.unsupported is a list of some of audio, "),
    (
        QUIRKS + 'fixed = { temperature = "1" }',
        "quirks.fixed is a table from parameters to numbers",
    ),
    (QUIRKS + "fixed = { heat = 1 }", "quirks.fixed is a table from parameters to numbers"),
    (QUIRKS + 'efforts = ["extreme"]', "quirks.efforts is a list of some of high, low, "),
    (QUIRKS + "max_tokens_field = 5", "quirks.max_tokens_field is text"),
    (QUIRKS + "headers = { A = 1 }", "quirks.headers is a table from names to texts"),
    (QUIRKS + 'headers = { A = "b\\nc" }', "quirks.headers is a table from names to texts"),
    (QUIRKS + "extra = 5", "quirks.extra is a table"),
]


@pytest.mark.parametrize(("toml", "fault"), WRONG, ids=lambda value: repr(value)[:50])
def test_what_is_wrong_is_said_with_the_models_name(own: Write, toml: str, fault: str) -> None:
    (found,) = faults(own(toml))
    assert fault in found


def test_all_faults_are_listed_at_once(own: Write) -> None:
    path = own("""
        version = "1"
        [[models]]
        id = "a/b"
        extends = true
        enabled = 1
        [models.quirks]
        unsupported = ["heat"]
        [[models]]
        id = "c"
    """)
    found = faults(path)
    assert len(found) == 5
    assert all(fault.startswith("the catalogue models.toml") for fault in found)


def test_a_catalogue_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    binary = tmp_path / "binary.toml"
    binary.write_bytes(b"\xff\xfe")
    for path in (tmp_path / "missing.toml", tmp_path, binary):
        (found,) = faults(str(path))
        assert found.startswith("cannot read the catalogue")
