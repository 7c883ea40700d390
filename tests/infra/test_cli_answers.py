"""`tollkeeper complete`, `embed`, `attempts`: what was asked, who answered, who pays."""

import json
from pathlib import Path

import pytest

from tests.infra.cli_runs import Cli, refused, without
from tollkeeper.domain.meters import Meter
from tollkeeper.domain.money import Money
from tollkeeper.domain.usage import UsageReport, UsageTotal
from tollkeeper.infra.cli.usage import print_report
from tollkeeper.infra.samples import recording

ASK = ("complete", "--account", "acme")
EMBED = ("embed", "--account", "acme")
COUNTRY = {
    "type": "object",
    "properties": {"capital": {"type": "string", "pattern": "^[A-Z][a-z]+$"}},
    "required": ["capital"],
}
THINKING = ("-m", "offline/thinking-3")


@pytest.fixture
def rich(cli: Cli) -> Cli:
    """Run commands where acme has credit, and nobody waits between two tries."""
    cli.credit()
    (cli.folder / "tollkeeper.toml").write_text("[local]\nretry_pause = '0s'\ntries = 2\n")
    return cli


def test_fallback_answers_and_each_attempt_is_said_beside_the_answer(rich: Cli) -> None:
    ran = rich.here(*ASK, "hi", "-m", "offline/fail-unavailable", "--fallback", "offline/echo")
    assert (ran.code, ran.out) == (0, "hi\n")
    answered, first, second, third, charged = ran.err.splitlines()
    assert answered == "answered by offline/echo"
    assert first.startswith("attempt 1: offline/fail-unavailable failed (unavailable) after 0.")
    assert second.startswith("attempt 2: offline/fail-unavailable failed")
    assert third.startswith("attempt 3: offline/echo answered")
    assert "charged 0.000002 USD" in charged


def test_attempt_that_the_host_bears_is_said_so(rich: Cli) -> None:
    ran = rich.here(
        *(*ASK, "hi", "--stream", "-m", "offline/fail-timeout"), "--fallback", "offline/echo"
    )
    assert ran.out == "hi\n"
    assert "; the host bears 0.0000005 USD, if it was billed" in ran.err


def test_one_attempt_at_the_model_that_was_asked_for_is_not_worth_a_word(rich: Cli) -> None:
    (line,) = rich.here(*ASK, "hi").err.splitlines()
    assert line.startswith("held ")


def test_model_behind_an_alias_is_named(rich: Cli) -> None:
    (rich.folder / "models.toml").write_text(
        '[[models]]\nid = "offline/echo"\nextends = true\naliases = ["parrot"]\n'
    )
    ran = rich.here(*ASK, "hi", "-m", "parrot", TOLLKEEPER_CATALOGUE="models.toml")
    assert "answered by offline/echo\n" in ran.err


@pytest.mark.parametrize("options", [(), ("--stream",)])
def test_reasoning_is_shown_beside_the_answer_if_wanted(rich: Cli, options: tuple[str]) -> None:
    hidden = rich.here(*ASK, "hi", *THINKING, *options)
    assert hidden.out == "hi\n"
    assert "reasoning" not in hidden.err
    shown = rich.here(*ASK, "hi", *THINKING, "--show-reasoning", *options)
    assert shown.out == "hi\n"
    assert shown.err.startswith("reasoning: ")


def test_json_says_who_answered_and_how_often_was_asked(rich: Cli) -> None:
    fallback = ("-m", "offline/fail-throttled", "--fallback", "offline/thinking-3")
    document = rich.here(*ASK, "hi", *fallback, "--json").json()
    assert (document["provider"], document["model"]) == ("offline", "thinking-3")
    assert (document["provenance"], document["cached"]) == ("reported", False)
    assert document["warnings"] == document["logprobs"] == []
    (thought,) = document["thoughts"]
    assert set(thought) == {"text", "redacted"}
    assert thought["text"] == document["reasoning"]
    *failed, answered = document["attempts"]
    assert {(each["outcome"], each["error"], each["settlement"]) for each in failed} == {
        ("failed", "throttled", "nothing")
    }
    assert (answered["outcome"], answered["billed"], answered["settlement"]) == (
        *("answered", "yes", "charged"),
    )
    assert answered["call_id"] == document["receipt"]["call_id"]
    assert answered["cost"]["amount"] == document["receipt"]["charged"]["amount"]


def test_schema_is_kept_to_and_a_breach_is_shown_charged_and_named(rich: Cli) -> None:
    (rich.folder / "the country.json").write_text(json.dumps(COUNTRY))
    keep = ("--json-schema", "the country.json")
    good = rich.here(*ASK, '{"capital": "Paris"}', *keep)
    assert json.loads(good.out) == {"capital": "Paris"}
    ran = rich.here(*ASK, "just text", *keep)
    assert ran.code == 5
    assert "charged 0.0000" in ran.err
    assert ran.err.splitlines()[-1].startswith("error: the model")
    assert ran.out == '{"capital": "text"}\n'


def test_schema_without_the_package_that_checks_it_is_refused_by_name(rich: Cli) -> None:
    (rich.folder / "schema.json").write_text(json.dumps(COUNTRY))
    ran = rich.process(
        *(*ASK, "hi", "--json-schema", "schema.json"),
        PYTHONPATH=without(rich.folder, "jsonschema"),
    )
    refused(ran, 2, "pip install 'tollkeeper[jsonschema]'")
    assert len(rich.ledger()) == 1


def test_sounds_and_files_are_sent_along(rich: Cli) -> None:
    (rich.folder / "a.wav").write_bytes(recording())
    (rich.folder / "b.pdf").write_bytes(b"%PDF-1.7\n")
    (rich.folder / "c.csv").write_bytes(b"a,b\n")
    files = ("--file", "b.pdf", "--file", "c.csv", "--file", "https://example.org/d.pdf")
    ran = rich.here(*ASK, "see", "--audio", "a.wav", *files)
    assert ran.code == 0, ran.err
    assert ran.out == (
        f"[audio: wav, {len(recording())} bytes] [file: application/pdf, 9 bytes] "
        "[file: text/csv, 4 bytes] [file: by its address] see\n"
    )


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--audio", "text"), "no WAV, MP3, FLAC, Ogg, M4A or WebM"),
        (("--audio", "nosuch"), "cannot read nosuch"),
        (("--file", "text"), "no ending that says what it is"),
        (("--file", "empty.pdf"), "a file's data is its bytes"),
        (("--json-schema", "text"), "is no JSON (line 1)"),
        (("--json-schema", "list.json"), "the schema list"),
        (("--json-schema", "wrong.json"), "JSON Schema"),
        (("--timeout", "soon"), "--timeout: a duration is a number"),
        (("--timeout", "3h"), "timeout is at most"),
        (("--reasoning-effort", "much"), "reasoning_effort is one of none"),
        (("--reasoning-budget", "0"), "reasoning_budget"),
        (("--fallback", "echo"), "provider/name"),
        (("--fallback", "nosuch/model"), "nosuch"),
    ],
)
def test_what_cannot_be_asked_is_one_line_and_costs_nothing(
    rich: Cli, options: tuple[str, ...], said: str
) -> None:
    Path(rich.folder / "text").write_text("not what you think")
    Path(rich.folder / "empty.pdf").write_bytes(b"")
    Path(rich.folder / "list.json").write_text("[]")
    Path(rich.folder / "wrong.json").write_text('{"type": "nonsense"}')
    refused(rich.here(*ASK, "hi", *options), 2, said)
    assert len(rich.ledger()) == 1


def test_what_a_model_cannot_take_is_refused_or_left_out_with_a_warning(rich: Cli) -> None:
    (rich.folder / "models.toml").write_text(
        '[[models]]\nid = "offline/echo"\nextends = true\n'
        '[models.quirks]\nunsupported = ["temperature"]\n'
    )
    ask = (*ASK, "hi", "--temperature", "1")
    refused(rich.here(*ask, TOLLKEEPER_CATALOGUE="models.toml"), 2, "does not take temperature")
    ran = rich.here(*ask, "--drop-unsupported", TOLLKEEPER_CATALOGUE="models.toml")
    assert ran.out == "hi\n"
    assert "warning: temperature was dropped" in ran.err


def test_embedding_is_shown_in_short_and_in_full_as_json(rich: Cli) -> None:
    ran = rich.here(*EMBED, "one two", "three", "--dimensions", "8")
    assert ran.code == 0, ran.err
    assert "Vectors of hash" in ran.out
    assert "one two" in ran.out
    assert "charged 0.0000" in ran.err
    document = rich.here(*EMBED, "one two", "-", "--json", stdin="three").json()
    assert [len(vector) for vector in document["vectors"]] == [64, 64]
    assert (document["provider"], document["provenance"]) == ("offline", "reported")
    assert document["input_tokens"] == 3
    assert document["receipt"]["quantities"]["input_tokens"] == 3
    (attempt,) = document["attempts"]
    assert attempt["settlement"] == "charged"


def test_embedding_needs_a_payer_a_text_and_a_model_that_embeds(rich: Cli) -> None:
    refused(rich.here("embed", "one"), 2, "--account")
    refused(rich.here(*EMBED, ""), 2, "is not empty")
    refused(rich.here(*EMBED, "\udcff"), 2, "no UTF-8 text")
    refused(rich.here(*EMBED, "one", "-m", "offline/echo"), 2, "embeddings")
    refused(rich.here(*EMBED, "one", "--dimensions", "0"), 2, "dimensions")
    token = rich.token("acme", "chat:complete")
    refused(rich.here("embed", "one", "--key", token), 3, "embeddings:create")
    assert len(rich.ledger()) == 1


def test_attempts_are_listed_with_who_pays(rich: Cli) -> None:
    fails = ("-m", "offline/fail-timeout", "--fallback", "offline/echo")
    call = rich.here(*ASK, "hi", *fails, "--json").json()["receipt"]["call_id"]
    rich.here(*ASK, "hi", "-m", "offline/fail-rejected")
    listed = rich.here("attempts", "--account", "acme", "--json").json()
    assert [(each["number"], each["model"], each["settlement"]) for each in listed] == [
        (1, "offline/fail-timeout", "written_off"),
        (2, "offline/fail-timeout", "written_off"),
        (3, "offline/echo", "charged"),
        (1, "offline/fail-rejected", "nothing"),
    ]
    assert listed[0]["billed"] == "unknown"
    of_one = rich.here("attempts", "--account", "acme", "--call", call, "--json").json()
    assert of_one == listed[:3]
    table = rich.here("attempts", "--account", "acme").out
    for cell in ("the account", "the host", "nobody", "timeout", "rejected", call):
        assert cell in table
    assert "billed unknown: the request was sent" in table


def test_attempts_come_in_pages_and_by_time(rich: Cli) -> None:
    for _ in range(3):
        rich.here(*ASK, "hi")
    attempts = ("attempts", "--account", "acme")
    first = rich.here(*attempts, "--limit", "2")
    assert "there may be more: --after call_" in first.err
    after = first.err.split()[-1]
    (last,) = rich.here(*attempts, "--after", after, "--json").json()
    assert rich.here(*attempts, "--since", last["started_at"], "--json").json() == [last]
    assert len(rich.here(*attempts, "--until", last["started_at"], "--json").json()) == 2
    empty = rich.here("attempts", "--account", "nobody")
    assert (empty.code, empty.out) == (0, "nothing was asked of a provider\n")
    refused(rich.here(*attempts, "--after", "nosuch"), 4)
    refused(rich.here(*attempts, "--since", "soon"), 2, "--since")
    backwards = ("--since", "2026-02-01", "--until", "2026-01-01")
    for command in ("attempts", "usage"):
        refused(rich.here(command, "--account", "acme", *backwards), 2, "must be after")
    refused(rich.here(*attempts, "--limit", "0"), 2, "limit")


def test_answers_of_the_response_cache_are_counted_in_the_report(
    capsys: pytest.CaptureFixture[str],
) -> None:
    nothing = Money.zero("USD")
    cached = UsageTotal("chat:complete", "offline/echo", Meter.CACHED_ANSWERS, 3, 3, 0, nothing)
    print_report(UsageReport("acme", None, None, (cached,), ()))
    out = capsys.readouterr().out
    assert "cached answers" in out
    assert "3 answers came from the response cache, at no charge" in out
