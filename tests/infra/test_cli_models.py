"""`tollkeeper models` shows what there is, what it costs, and what can be called here."""

import pytest

from tests.infra.cli_runs import Cli, refused

BOOK = """
[[prices]]
model = "house/writer"
input_tokens = "1.5 per 1000000"
output_tokens = "0.003 per 1000"
[[prices.tiers]]
above = 1000
input_tokens = "3 per 1000000"
output_tokens = "0.006 per 1000"
"""
MODELS = """
[[models]]
id = "house/writer"
aliases = ["writer"]
context_window = 200000
max_output = 5000
capabilities = ["tools", "streaming"]
[models.quirks]
headers = { X-Token = "hush-hush" }
efforts = ["low"]
[[models]]
id = "house/plain"
prices = "house/writer"
[[models]]
id = "house/vectors"
prices = "house/writer"
capabilities = ["embeddings"]
[[models]]
id = "house/unpriced"
capabilities = ["streaming"]
[[models]]
id = "offline/echo"
extends = true
enabled = false
"""
SETTINGS = """
[local]
catalogue = "models.toml"
price_book = "prices.toml"
[local.chat_models]
offline = "offline://"
house = "offline://"
"""


@pytest.fixture
def house(cli: Cli) -> Cli:
    """A folder whose settings name a catalogue and a price book."""
    for name, text in (("tollkeeper", SETTINGS), ("models", MODELS), ("prices", BOOK)):
        (cli.folder / f"{name}.toml").write_text(text, "utf-8")
    return cli


def row(out: str, model: str) -> list[str]:
    (line,) = (line for line in out.splitlines() if line.startswith(f"{model} "))
    return line.split()


def test_models_are_a_table_with_windows_abilities_and_prices(cli: Cli) -> None:
    ran = cli.process("models")
    assert (ran.code, ran.err) == (0, "")
    gpt = row(ran.out, "openai/gpt-4o")
    assert gpt[1:3] == ["128,000", "16,384"]
    assert "tools" in gpt
    assert gpt[-6:] == ["2.50", "USD", "10.00", "USD", "no", "provider"]
    assert row(ran.out, "openai/gpt-5.4")[-7:-4] == ["≥", "2.50", "USD"]
    assert "≥ calls that read more" in ran.out
    assert row(ran.out, "offline/echo")[-1] == "yes"
    assert row(ran.out, "openai/text-embedding-3-small")[2:] == [
        *("embeddings", "0.02", "USD", "no", "provider")
    ]
    assert not (cli.folder / "tollkeeper.db").exists()


def test_models_of_one_provider_or_ability_are_shown_alone(cli: Cli) -> None:
    ids = [each["id"] for each in cli.here("models", "--provider", "groq", "--json").json()]
    assert len(ids) > 3
    assert all(name.startswith("groq/") for name in ids)
    able = cli.here(
        *("models", "--capability", "audio", "--capability", "reasoning", "--json")
    ).json()
    assert able
    assert all({"audio", "reasoning"} <= {*each["capabilities"]} for each in able)
    both = cli.here("models", "--provider", "anthropic", "--capability", "embeddings")
    assert both.out.startswith("no such model is in the catalogue; it has those of anthropic, ")
    assert "≥" not in cli.here("models", "--provider", "groq").out


def test_models_can_only_do_what_there_is(cli: Cli) -> None:
    refused(cli.here("models", "--capability", "telepathy"), 2, "--capability is one of tools, ")


@pytest.mark.parametrize("how", [(), ("--json",), ("--capability", "tools")])
def test_a_provider_that_nobody_knows_is_refused_by_naming_those_that_are_known(
    cli: Cli, how: tuple[str, ...]
) -> None:
    ran = cli.here("models", "--provider", "nobody", *how)
    refused(ran, 2, "--provider is one of anthropic, gemini, groq, morph, offline, openai, ")
    refused(cli.here("models", "--provider", "", *how), 2, "--provider is one of ")


def test_a_provider_of_ones_own_may_have_no_models_in_the_catalogue(cli: Cli) -> None:
    place = {"TOLLKEEPER_CHAT_MODELS__OLLAMA": "openai+http://127.0.0.1:11434/v1"}
    ran = cli.here("models", "--provider", "ollama", **place)
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.startswith("no such model is in the catalogue")
    assert cli.here("models", "--provider", "ollama", "--json", **place).json() == []


def test_a_provider_is_served_once_the_settings_name_it(cli: Cli) -> None:
    key = {"TOLLKEEPER_API_KEYS__OPENAI": "sk-1234567890abcdef"}
    out = cli.here("models", "--provider", "openai", **key).out
    assert row(out, "openai/gpt-4o")[-1] == "yes"
    assert "sk-1234567890abcdef" not in out


def test_models_of_ones_own_are_shown_as_they_stand(house: Cli) -> None:
    out = house.here("models").out
    writer = row(out, "house/writer")
    assert writer[1:4] == ["200,000", "5,000", "tools"]
    assert writer[4:] == ["≥", "1.50", "USD", "3.00", "USD", "yes"]
    assert row(out, "house/unpriced")[1:] == ["no", "price"]
    assert row(out, "offline/echo")[-1] == "off"


def test_a_model_can_be_called_whatever_its_card_says_that_it_can_do(house: Cli) -> None:
    out = house.here("models").out
    assert row(out, "house/plain")[-1] == "yes"
    assert row(out, "house/vectors")[-2:] == ["no", "provider"]
    served = {each["id"]: each["configured"] for each in house.here("models", "--json").json()}
    assert served["house/plain"]
    assert not served["house/vectors"], "it does not chat, and house has no embedder"


def test_json_tells_everything_but_the_values_of_headers(house: Cli) -> None:
    ran = house.here("models", "--provider", "house", "--capability", "tools", "--json")
    (writer,) = ran.json()
    assert writer["id"] == "house/writer"
    assert (writer["name"], writer["aliases"]) == ("writer", ["writer"])
    assert (writer["enabled"], writer["configured"]) == (True, True)
    prices = writer["prices"]
    assert prices["id"] == "house/writer@2000-01-01"
    assert prices["meters"]["output_tokens"] == {
        "amount": "0.003",
        "currency": "USD",
        "nanos": "3000000",
        "per": 1000,
    }
    assert [tier["above_input_tokens"] for tier in prices["tiers"]] == [1000]
    assert prices["tiers"][0]["meters"]["input_tokens"]["amount"] == "3.00"
    assert writer["quirks"]["headers"] == ["X-Token"]
    assert writer["quirks"]["efforts"] == ["low"]
    assert "hush-hush" not in ran.out
    (unpriced,) = (
        each
        for each in house.here("models", "--provider", "house", "--json").json()
        if each["id"] == "house/unpriced"
    )
    assert unpriced["prices"] is None


def test_the_default_price_is_marked(house: Cli) -> None:
    text = SETTINGS + '[local.default_price]\ninput_tokens = "9 per 1000000"\n'
    (house.folder / "tollkeeper.toml").write_text(text, "utf-8")
    out = house.here("models").out
    assert row(out, "house/unpriced")[1:] == ["!", "9.00", "USD", "yes"]
    assert "! is the default price" in out


def test_a_faulty_catalogue_is_a_line_for_each_fault(house: Cli) -> None:
    (house.folder / "models.toml").write_text('[[models]]\nid = "b"\n[[models]]\nid = "a/b"\nx = 1')
    ran = house.here("models")
    assert ran.code == 2
    assert len(ran.err.splitlines()) == 2
    (house.folder / "models.toml").unlink()
    refused(house.here("models"), 2, "cannot read the catalogue")
