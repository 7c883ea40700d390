"""`tollkeeper credit`, `usage`, `ledger`, `holds` and `plans`."""

import time

import pytest

from tests.infra.cli_runs import Cli, refused

GRANT = ("credit", "grant", "--account", "acme")


def test_grant_is_given_once_for_its_idempotency_key(cli: Cli) -> None:
    grant = (*GRANT, "--amount", "5.00", "--idempotency-key", "welcome", "--description", "hello")
    first = cli.process(*grant)
    assert first.out == "granted 5.00 USD to acme; balance 5.00 USD (idempotency key welcome)\n"
    again = cli.process(*grant)
    assert (again.code, again.err) == (0, "")
    assert "before" in again.out
    assert "nothing changed" in again.out
    refused(
        cli.here(*GRANT, "--amount", "6.00", "--idempotency-key", "welcome"), 4, "the key was used"
    )
    (entry,) = cli.ledger()
    assert entry["amount"] == {"amount": "5.00", "currency": "USD", "nanos": "5000000000"}
    assert entry["description"] == "hello"


def test_grant_without_a_key_gets_one_and_says_which(cli: Cli) -> None:
    cli.credit()
    entry = cli.here(*GRANT, "--amount", "1", "--currency", "EUR", "--json").json()
    assert entry["idempotency_key"].startswith("cli-")
    assert entry["balance_after"]["amount"] == "1.00"
    assert [e["amount"]["amount"] for e in cli.ledger()] == ["5.00"]
    euros = cli.here("ledger", "--account", "acme", "--currency", "EUR", "--json").json()
    assert [e["id"] for e in euros] == [entry["id"]]


@pytest.mark.parametrize(
    "amount", ["", "-5", "0", "five", "1e-10", "nan", "inf", "1e99", "0x10", "99999999999"]
)
def test_amount_that_is_none_changes_nothing(cli: Cli, amount: str) -> None:
    refused(cli.here(*GRANT, "--amount", amount), 2)
    assert cli.ledger() == []


@pytest.mark.parametrize(
    "options",
    [
        ("--amount", "5", "--currency", "dollars"),
        ("--amount", "5", "--idempotency-key", ""),
        ("--amount", "5", "--idempotency-key", "x" * 300),
        ("--amount", "5", "--description", "two\nlines"),
    ],
)
def test_malformed_grant_changes_nothing(cli: Cli, options: tuple[str, ...]) -> None:
    refused(cli.here(*GRANT, *options), 2)
    refused(cli.here("credit", "grant", "--account", "no one", "--amount", "5"), 2, "account")
    assert cli.ledger() == []


def test_usage_is_a_table_and_json(cli: Cli) -> None:
    cli.credit()
    cli.here("complete", "--account", "acme", "one two three")
    ran = cli.here("usage", "--account", "acme")
    assert "input tokens" in ran.out
    assert "balance 4.999994 USD: 4.999994 USD available, 0.00 USD held" in ran.out
    report = cli.here("usage", "--account", "acme", "--json").json()
    (output,) = (t for t in report["totals"] if t["meter"] == "output_tokens")
    assert output["quantity"] == 3
    assert output["charge"] == {"amount": "0.0000045", "currency": "USD", "nanos": "4500"}
    assert (
        cli.here("usage", "--account", "acme", "--until", "2001-01-01", "--json").json()["totals"]
        == []
    )
    since = cli.here("usage", "--account", "acme", "--since", "2001-01-01T12:00:00+02:00", "--json")
    assert since.json()["since"] == "2001-01-01T10:00:00Z"
    assert since.json()["totals"][:3] == report["totals"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--since", "yesterday"), "--since"),
        (("--until", "2026-13-01"), "--until"),
        (("--since", "0001-01-01T00:00:00+14:00"), "--since"),
        (("--since", "2026-02-01", "--until", "2026-01-01"), "until"),
    ],
)
def test_times_that_are_none_are_refused(cli: Cli, options: tuple[str, ...], said: str) -> None:
    refused(cli.here("usage", "--account", "acme", *options), 2, said)
    refused(cli.here("usage", "--account", "-"), 2, "account")


def test_ledger_shows_grants_and_charges_with_their_holds(cli: Cli) -> None:
    cli.credit()
    cli.here("complete", "--account", "acme", "one two three")
    grant, capture = cli.ledger()
    assert (grant["kind"], capture["kind"]) == ("grant", "capture")
    assert capture["amount"]["nanos"] == "-6000"
    assert capture["held"]["amount"] > "0.001"
    assert capture["late"] is False
    assert capture["at"].endswith("Z")
    table = cli.here("ledger", "--account", "acme")
    lines = table.out.splitlines()
    (first,) = (line for line in lines if " grant " in line)
    (second,) = (line for line in lines if " capture " in line)
    # Decimal points stand under one another, in a column of amounts.
    assert first.index("5.00") == second.index("-0.000006") + 1
    page = cli.here("ledger", "--account", "acme", "--limit", "1")
    assert "--after 1" in page.err
    rest = cli.here("ledger", "--account", "acme", "--after", "1", "--json").json()
    assert [e["sequence"] for e in rest] == [2]


def test_ledger_of_nobody_is_empty(cli: Cli) -> None:
    assert cli.here("ledger", "--account", "nobody").out == "the ledger of nobody has no entries\n"
    refused(cli.here("ledger", "--account", "a", "--after", "-1"), 2, "after")
    refused(cli.here("ledger", "--account", "a", "--limit", "1001"), 2, "limit")
    refused(cli.here("ledger", "--account", "a", "--currency", "?"), 2, "currency")


def test_hold_of_a_killed_process_is_given_back_by_the_clock(cli: Cli) -> None:
    cli.credit()
    short = {"TOLLKEEPER_CALL_TIMEOUT": "700ms", "TOLLKEEPER_HOLD_TTL": "800ms"}
    process = cli.start(
        *("complete", "--account", "acme", "--stream", "-m", "offline/slow-200"),
        "a b c d e f g h i j k l m n",
        **short,
    )
    assert process.stdout is not None
    assert process.stdout.read(1) == "a"
    process.kill()
    process.communicate()
    deadline = time.monotonic() + 30
    expired: list[dict[str, object]] = []
    while not expired and time.monotonic() < deadline:
        expired = cli.here("holds", "expire", "--json").json()
    (hold,) = expired
    assert (hold["account"], hold["state"]) == ("acme", "expired")
    assert cli.balance() == {"posted": "5.00", "held": "0.00", "available": "5.00"}
    assert cli.here("holds", "expire").out == "no hold is overdue\n"


def test_plan_is_defined_listed_given_and_kept_to(cli: Cli) -> None:
    cli.credit()
    assert "there are no plans" in cli.here("plans", "list").out
    define = ("plans", "define", "--name", "pro", "--models", "offline/echo")
    ran = cli.here(*define, "--rate-limit", "60/minute", "--markup-bps", "10000")
    assert ran.out == "defined the plan pro\n"
    given = cli.process("plans", "subscribe", "--account", "acme", "--plan", "pro")
    assert given.out == "acme has the plan pro\n"
    assert cli.here("plans", "list", "--json").json() == [
        {
            "name": "pro",
            "models": ["offline/echo"],
            "operations": ["*"],
            "rate_limit": "60/minute",
            "markup_bps": 10000,
            "max_output_tokens": None,
        }
    ]
    assert "100 %" in cli.here("plans", "list").out
    answer = cli.here("complete", "--account", "acme", "one two three", "--json").json()
    assert answer["receipt"]["charged"]["nanos"] == "12000"
    refused(cli.here("complete", "--account", "acme", "-m", "offline/slow", "hi"), 3, "plan pro")
    until = cli.here(
        *("plans", "subscribe", "--account", "acme", "--plan", "pro", "--runs-for", "30d"), "--json"
    ).json()
    assert until["ends_at"] > until["starts_at"]


@pytest.mark.parametrize(
    "options",
    [
        ("--name", ""),
        ("--name", "two\nlines"),
        ("--name", "pro", "--rate-limit", "often"),
        ("--name", "pro", "--rate-limit", "0/minute"),
        ("--name", "pro", "--markup-bps", "-1"),
        ("--name", "pro", "--max-output-tokens", "0"),
        ("--name", "pro", "--models", ""),
        ("--name", "pro", "--operations", "chat:* audio:*"),
    ],
)
def test_malformed_plan_is_not_defined(cli: Cli, options: tuple[str, ...]) -> None:
    refused(cli.here("plans", "define", *options), 2)
    assert cli.here("plans", "list", "--json").json() == []


def test_bad_subscription_changes_nothing(cli: Cli) -> None:
    subscribe = ("plans", "subscribe", "--account", "acme")
    refused(cli.here(*subscribe, "--plan", "nosuch"), 4, "plan")
    cli.here("plans", "define", "--name", "none", "--models", "nosuch/*")
    refused(cli.here(*subscribe, "--plan", "none", "--runs-for", "soon"), 2, "--runs-for")
    refused(cli.here(*subscribe, "--plan", "none", "--runs-for", "0s"), 2, "runs_for")
    cli.credit()
    assert cli.here("complete", "--account", "acme", "hi").code == 0
