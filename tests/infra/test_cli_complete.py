"""`tollkeeper complete`: prompts, streams, tools, images, other servers; and who pays."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.infra.cli_runs import Cli, refused
from tests.servers.openai_server import OpenaiServer, openai_server

ASK = ("complete", "--account", "acme")
WEATHER = {
    "name": "get_weather",
    "description": "Tell the weather.",
    "parameters": {
        "type": "object",
        "properties": {"city": {"type": "string"}},
        "required": ["city"],
    },
}
PNG = b"\x89PNG\r\n\x1a\n" + bytes(16)


@pytest.fixture
def rich(cli: Cli) -> Cli:
    """Run commands where acme has credit."""
    cli.credit()
    return cli


@pytest.fixture
def server() -> Iterator[OpenaiServer]:
    with openai_server(api_key="sk-of-the-test") as server:
        yield server


def test_answer_is_on_standard_output_and_its_price_on_the_other(rich: Cli) -> None:
    ran = rich.here(*ASK, "one two three")
    assert (ran.code, ran.out) == (0, "one two three\n")
    (line,) = ran.err.splitlines()
    assert line.startswith("held 0.00")
    assert line.endswith("→ charged 0.000006 USD → balance 4.999994 USD")


def test_stream_prints_the_same_as_the_whole_answer(rich: Cli) -> None:
    whole, streamed = rich.here(*ASK, "one\ntwo"), rich.process(*ASK, "--stream", "one\ntwo")
    assert whole.out == streamed.out == "one\ntwo\n"
    assert "charged 0.000004 USD" in streamed.err
    assert rich.balance() == {"posted": "4.999992", "held": "0.00", "available": "4.999992"}


def test_prompt_comes_from_a_file_or_standard_input(rich: Cli) -> None:
    (rich.folder / "prompt.txt").write_text("ünïcode ✓ from a file", encoding="utf-8")
    assert rich.here(*ASK, "--prompt-file", "prompt.txt").out == "ünïcode ✓ from a file\n"
    assert rich.process(*ASK, stdin="piped").out == "piped\n"
    assert rich.here(*ASK, "--prompt-file", "-", stdin="piped").out == "piped\n"
    assert rich.here(*ASK, "-", stdin="piped").out == "piped\n"


def test_json_is_one_document_with_the_receipt(rich: Cli) -> None:
    ran = rich.process(*ASK, "one two three", "--json")
    document = ran.json()
    assert document["text"] == "one two three"
    assert document["finish_reason"] == "stop"
    assert document["tokens"]["output_tokens"] == 3
    receipt = document["receipt"]
    assert receipt["charged"] == {"amount": "0.000006", "currency": "USD", "nanos": "6000"}
    assert receipt["balance_after"]["amount"] == "4.999994"
    (_, entry) = rich.ledger()
    assert (entry["id"], entry["held"]) == (receipt["entry_id"], receipt["held"])


@pytest.mark.parametrize(
    "tools", [[WEATHER], [{"type": "function", "function": {**WEATHER, "strict": True}}]]
)
@pytest.mark.parametrize("options", [(), ("--stream",)])
def test_tool_calls_are_printed_with_their_arguments(
    rich: Cli, tools: list[object], options: tuple[str, ...]
) -> None:
    (rich.folder / "tools.json").write_text(json.dumps(tools))
    ran = rich.here(*ASK, "What is the weather in Paris?", "--tools", "tools.json", *options)
    assert ran.out.strip() == 'tool call get_weather {"city": "Paris"}'
    assert "charged" in ran.err


def test_image_is_sent_along(rich: Cli) -> None:
    (rich.folder / "a.png").write_bytes(PNG)
    ran = rich.here(*ASK, "see", "--image", "a.png", "--image", "https://example.org/b.png")
    assert ran.out == "[image: image/png, 24 bytes] [image: by its address] see\n"


def test_options_reach_the_model(rich: Cli) -> None:
    ran = rich.here(*ASK, "one two three", "--max-tokens", "2")
    assert ran.out == "one two\n"
    assert "cut off" in ran.err
    assert rich.here(*ASK, "hi", "--system", "Be brief.", "--temperature", "0").code == 0


def test_call_with_an_idempotency_key_is_charged_once(rich: Cli) -> None:
    assert rich.here(*ASK, "hi", "--idempotency-key", "k").code == 0
    refused(rich.here(*ASK, "hi", "--idempotency-key", "k"), 4, "charged already")
    refused(rich.here(*ASK, "other", "--idempotency-key", "k"), 4)
    assert len(rich.ledger()) == 2


def test_key_pays_from_its_own_account(rich: Cli) -> None:
    token = rich.token()
    assert rich.here("complete", "hi", "--key", token).code == 0
    assert rich.here("complete", "hi", TOLLKEEPER_KEY=token).code == 0
    rich.credit(account="other")
    # A key in the environment does not stand in the way of an account named outright.
    assert rich.here("complete", "hi", "--account", "other", TOLLKEEPER_KEY=token).code == 0
    assert (len(rich.ledger()), len(rich.ledger("other"))) == (3, 2)


def test_somebody_must_pay(rich: Cli) -> None:
    token = rich.token("acme", "audio:transcribe")
    refused(rich.here("complete", "hi"), 2, "--key", "TOLLKEEPER_KEY", "--account")
    refused(rich.here("complete", "hi", "--key", token, "--account", "acme"), 2, "not both")
    refused(rich.here("complete", "hi", "--key", "nonsense"), 3, "not valid")
    refused(rich.here("complete", "hi", "--key", ""), 3, "not valid")
    mistyped = token[:-1] + ("1" if token.endswith("0") else "0")
    refused(rich.here("complete", "hi", "--key", mistyped), 3, "not valid")
    refused(rich.here("complete", "hi", "--key", token), 3, "chat:complete")
    refused(rich.here("complete", "hi", "--account", "a b"), 2, "account")
    refused(rich.here("complete", "hi", "--account", "poor"), 3, "credit")
    assert len(rich.ledger()) == 1


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        (("hi", "--prompt-file", "text"), 2, "not as both"),
        (("",), 2, "empty"),
        (("  \n",), 2, "empty"),
        (("--prompt-file", "nosuch"), 2, "cannot read nosuch"),
        (("--prompt-file", "."), 2, "is a directory"),
        (("--prompt-file", "binary"), 2, "no UTF-8 text"),
        (("--prompt-file", "zeros"), 2, "binary"),
        (("--prompt-file", "/dev/zero"), 2, "larger than"),
        (("--prompt-file", "secret"), 2, "cannot read secret"),
        (("\udcff",), 2, "no UTF-8 text"),
        (("hi", "--system", "\udcff"), 2, "--system"),
        (("hi", "-m", "echo"), 2, "provider/name"),
        (("hi", "-m", "nosuch/model"), 4, "no provider called nosuch"),
        (("hi", "-m", "offline/nosuch"), 4, "no such offline model"),
        (("hi", "-m", "offline/fail-unavailable"), 5, "try again"),
        (("hi", "-m", "offline/fail-credentials"), 5, "asked to fail"),
        (("hi", "--max-tokens", "0"), 2, "max_tokens"),
        (("hi", "--temperature", "3"), 2, "temperature"),
        (("hi", "--temperature", "nan"), 2, "temperature"),
        (("hi", "--max-tokens", "99999999"), 3, "credit"),
        (("hi", "--stream", "--json"), 2, "choose one"),
        (("hi", "--base-url", "nosuch"), 2, "--base-url"),
        (("hi", "--base-url", "ftp://host"), 2, "--base-url"),
        (("hi", "--image", "text"), 2, "no PNG, JPEG"),
        (("hi", "--image", "nosuch.png"), 2, "cannot read"),
        (("hi", "--tools", "nosuch"), 2, "cannot read"),
        (("hi", "--tools", "text"), 2, "no JSON"),
        (("hi", "--idempotency-key", ""), 2, "idempotency_key"),
    ],
)
def test_bad_input_is_one_line_and_costs_nothing(
    rich: Cli, options: tuple[str, ...], code: int, said: str
) -> None:
    (rich.folder / "text").write_text("words\n")
    (rich.folder / "binary").write_bytes(b"\xff\xfe\x00")
    (rich.folder / "zeros").write_bytes(b"a\0b")
    (rich.folder / "secret").symlink_to("secret")
    refused(rich.here(*ASK, *options), code, said)
    assert rich.balance() == {"posted": "5.00", "held": "0.00", "available": "5.00"}


@pytest.mark.parametrize(
    "tools",
    [
        "{}",
        "[]",
        "[1]",
        '[{"description": "no name"}]',
        '[{"name": "a b"}]',
        '[{"name": "a", "description": 1}]',
        '[{"name": "a", "description": "\\ud800"}]',
        '[{"name": "a", "strict": "yes"}]',
        '[{"name": "a", "parameters": []}]',
        '[{"name": "a", "parameters": {"type": "string"}}]',
        '[{"name": "a", "function": {}}]',
        '[{"type": "function"}]',
        '[{"name": "a"}, {"name": "a"}]',
        '[{"name": "a"},]',
        "[" * 100_000,
    ],
    ids=lambda text: text[:30],
)
def test_broken_tools_are_one_line(rich: Cli, tools: str) -> None:
    (rich.folder / "tools.json").write_text(tools)
    refused(rich.here(*ASK, "hi", "--tools", "tools.json"), 2)
    assert len(rich.ledger()) == 1


def test_prompt_is_asked_for_when_there_is_none(rich: Cli) -> None:
    refused(rich.here(*ASK), 2, "the prompt is empty")
    refused(rich.process(*ASK), 2, "the prompt is empty")


def test_stream_that_breaks_off_is_charged_for_what_came(rich: Cli) -> None:
    ran = rich.here(*ASK, "--stream", "one two three four", "-m", "offline/break-after-2")
    assert (ran.code, ran.out) == (5, "one two\n")
    charge, error = ran.err.splitlines()
    assert "(estimated)" in charge
    assert error.startswith("error: ")
    assert [entry["kind"] for entry in rich.ledger()] == ["grant", "capture"]
    assert rich.balance()["held"] == "0.00"


def priced(cli: Cli) -> None:
    """Write settings that put a price on models which the price book does not know."""
    Path(cli.folder / "tollkeeper.toml").write_text(
        '[local.default_price]\ninput_tokens = "1 per 1000000"\noutput_tokens = "2 per 1000000"\n'
    )


@pytest.mark.parametrize("options", [(), ("--stream",)])
def test_base_url_serves_the_model_s_provider(
    rich: Cli, server: OpenaiServer, options: tuple[str, ...]
) -> None:
    priced(rich)
    ran = rich.process(
        *(*ASK, "one two three", "-m", "mine/echo", "--base-url", server.base_url, *options),
        TOLLKEEPER_API_KEYS__MINE="sk-of-the-test",
    )
    assert (ran.code, ran.out) == (0, "one two three\n")
    assert server.last.json["model"] == "echo"
    assert "charged" in ran.err
    plain = rich.here(
        *(*ASK, "one two", "-m", "echo", "--base-url", server.base_url),
        TOLLKEEPER_API_KEYS__OPENAI="sk-of-the-test",
    )
    assert plain.out == "one two\n"
    assert rich.ledger()[-1]["description"].endswith("openai/echo")


def test_base_url_that_refuses_or_is_not_there_costs_nothing(
    rich: Cli, server: OpenaiServer
) -> None:
    priced(rich)
    there = (*ASK, "hi", "-m", "mine/echo", "--base-url", server.base_url)
    wrong = rich.here(*there, TOLLKEEPER_API_KEYS__MINE="sk-wrong")
    refused(wrong, 5)
    assert "sk-" not in wrong.err
    nowhere = (*ASK, "hi", "-m", "mine/echo", "--base-url", "http://127.0.0.1:9/v1")
    refused(rich.here(*nowhere), 5, "cannot be reached")
    assert rich.balance() == {"posted": "5.00", "held": "0.00", "available": "5.00"}


def test_model_without_a_price_is_refused(rich: Cli, server: OpenaiServer) -> None:
    ran = rich.here(*ASK, "hi", "-m", "mine/echo", "--base-url", server.base_url)
    refused(ran, 2, "no price")
    assert server.requests == []
