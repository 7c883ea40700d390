"""The catalogue: what each model is called, can do and takes; immutable, faults all at once."""

from typing import Any

import pytest
from attrs import evolve

from tollkeeper.domain.catalogue import Capability, Catalogue, ModelCard
from tollkeeper.domain.errors import ConfigurationError, Unsupported
from tollkeeper.domain.quirks import NO_QUIRKS, Quirks


def test_a_card_says_who_serves_the_model_and_under_which_name() -> None:
    card = ModelCard(id="openrouter/openai/gpt-4o")
    assert (card.provider, card.wire_name) == ("openrouter", "openai/gpt-4o")
    assert card.price_name == card.id
    assert (card.enabled, card.plans, card.quirks) == (True, (), NO_QUIRKS)
    other = ModelCard(id="house/writer", name="writer-2026-01", prices="openai/gpt-4o")
    assert (other.wire_name, other.price_name) == ("writer-2026-01", "openai/gpt-4o")


@pytest.mark.parametrize("model_id", ["", "gpt-4o", "/gpt-4o", "openai/"])
def test_an_id_reads_provider_and_name(model_id: str) -> None:
    with pytest.raises(ConfigurationError, match="write provider/name"):
        ModelCard(id=model_id)


@pytest.mark.parametrize("field", ["context_window", "max_output"])
@pytest.mark.parametrize("value", [0, -1, 1.5, True, "1000"], ids=repr)
def test_windows_are_tokens(field: str, value: object) -> None:
    fields: dict[str, Any] = {field: value}
    with pytest.raises(ConfigurationError, match=f"the model a/b: {field} is 1 or more tokens"):
        ModelCard(id="a/b", **fields)


def test_a_model_can_do_what_its_card_names() -> None:
    card = ModelCard(id="a/b", capabilities=["tools", Capability.JSON])
    assert card.can(Capability.TOOLS)
    assert not card.can(Capability.IMAGES)
    card.require(Capability.TOOLS, Capability.JSON)
    card.require()


def test_what_a_model_cannot_do_is_refused_all_at_once() -> None:
    card = ModelCard(id="a/b", capabilities=["tools"])
    with pytest.raises(Unsupported, match="a/b cannot do audio, images: choose another") as refused:
        card.require(Capability.TOOLS, Capability.IMAGES, Capability.AUDIO)
    assert refused.value.code == "unsupported_capability"


def test_a_capability_that_does_not_exist_is_a_fault() -> None:
    with pytest.raises(ConfigurationError, match="the capabilities are tools, "):
        ModelCard(id="a/b", capabilities=["telepathy"])


WRITER = ModelCard(id="house/writer", aliases=["writer", "house/best"])
READER = ModelCard(id="house/reader")


def test_a_model_is_found_by_its_id_and_its_aliases_alone() -> None:
    catalogue = Catalogue((WRITER, READER))
    for name in ("house/writer", "writer", "house/best"):
        assert catalogue.card(name) is WRITER
    assert catalogue.card("house/unknown") is None
    assert Catalogue().card("house/writer") is None


def test_the_models_of_a_provider_come_in_order() -> None:
    catalogue = Catalogue((WRITER, ModelCard(id="other/writer"), READER))
    assert catalogue.of_provider("house") == (READER, WRITER)
    assert catalogue.of_provider("nobody") == ()


def test_two_models_share_no_name() -> None:
    with pytest.raises(ConfigurationError) as refused:
        Catalogue((WRITER, ModelCard(id="house/best"), ModelCard(id="a/b", aliases=["writer"])))
    assert refused.value.faults == (
        "the model name house/best is given twice in the catalogue",
        "the model name writer is given twice in the catalogue",
    )


def test_models_to_fall_back_on_are_known_by_id_or_alias() -> None:
    Catalogue((WRITER, ModelCard(id="a/b", larger="house/writer", unfiltered="writer")))
    with pytest.raises(ConfigurationError) as refused:
        Catalogue((ModelCard(id="a/b", larger="a/c", unfiltered="a/d"),))
    assert refused.value.faults == (
        "the model a/b: no model is called a/c",
        "the model a/b: no model is called a/d",
    )


def test_an_extension_replaces_by_id_and_leaves_the_catalogue_as_it_was() -> None:
    catalogue = Catalogue((WRITER, READER))
    own = ModelCard(id="house/writer", enabled=False)
    longer = catalogue.extended_by([own, ModelCard(id="a/b")])
    assert longer.card("house/writer") is own
    assert longer.card("writer") is None
    assert longer.card("house/reader") is READER
    assert catalogue.card("writer") is WRITER
    assert len(catalogue.cards) == 2


def test_what_only_some_models_take_is_a_quirk_of_all_others() -> None:
    both, parallel = {"reasoning_effort", "reasoning_budget"}, {"parallel_tool_calls"}
    plain = ModelCard(id="a/plain", quirks=Quirks(unsupported=["seed"]))
    assert plain.request_quirks.unsupported == {"seed", *both, *parallel}
    assert plain.quirks.unsupported == {"seed"}
    able = ["reasoning", "parallel_tools"]
    assert evolve(plain, capabilities=able).request_quirks is plain.quirks
    thinker = evolve(plain, capabilities=["reasoning"])
    assert thinker.request_quirks.unsupported == {"seed", *parallel}
    for quirks in (Quirks(unsupported=both), Quirks(efforts=["low"])):
        card = evolve(plain, capabilities=["parallel_tools"], quirks=quirks)
        assert card.request_quirks is quirks
