"""The whole main job on the embedded default, step by step, for somebody new to it."""

import os
import shutil
import sys
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import typer

from tollkeeper.domain.completions import Receipt
from tollkeeper.domain.errors import ConfigurationError, DomainError, InvalidRequest
from tollkeeper.domain.messages import user
from tollkeeper.domain.meters import Meter
from tollkeeper.domain.money import Money
from tollkeeper.domain.principals import Principal
from tollkeeper.domain.tools import Tool
from tollkeeper.infra.cli.masking import masked
from tollkeeper.infra.cli.output import say, write
from tollkeeper.infra.cli.session import Chosen, load_settings, with_tollkeeper
from tollkeeper.infra.cli.usage import print_report

if TYPE_CHECKING:
    from tollkeeper.infra.facade import Tollkeeper
    from tollkeeper.infra.settings import Settings

ACCOUNT = "demo"
MODEL = "offline/echo"
_SCOPES = {"chat:complete", "audio:transcribe"}
_WELCOME = "5.00"
_WEATHER = Tool(
    "get_weather",
    "Tell the weather of a city.",
    {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
)


def _settings(ctx: typer.Context) -> "Settings":
    """The embedded default, whatever lies around; what the global options name, if they do."""
    from tollkeeper.infra.settings import WITHOUT_PEPPER, Settings

    chosen = ctx.find_object(Chosen)
    if chosen is None or not chosen.given:
        return Settings(environment="local")
    settings = load_settings(ctx)
    if settings.environment not in WITHOUT_PEPPER:
        raise InvalidRequest(
            f"the demo writes into the store, so it runs in the environments "
            f"{' and '.join(WITHOUT_PEPPER)} alone, not in {settings.environment}"
        )
    return settings


def demo(ctx: typer.Context) -> None:
    """Run the whole main job: issue a key, give credit, call models, charge, refuse, report.

    It needs no server, no provider's key and no network, and keeps all in tollkeeper.db in the
    working directory, unless --file or --environment say otherwise.
    """
    settings = _settings(ctx)

    async def work(tk: "Tollkeeper") -> None:
        await _run(tk, settings)

    with_tollkeeper(settings, work)


async def _run(tk: "Tollkeeper", settings: "Settings") -> None:
    say(f"The main job of Tollkeeper, on {masked(settings.store)}", style="bold")
    principal = await _key_and_credit(tk)
    await _stream(tk, principal)
    await _call_tool(tk, principal)
    await _transcribe(tk, principal)
    await _refusals(tk, principal)
    _step("8", "What was used, and what is left")
    print_report(await tk.report_usage(account=ACCOUNT))
    say()
    say(f"Run it again: it continues from {masked(settings.store)}. Look at it:")
    command = _command()
    _tell(f"{command} keys list --account {ACCOUNT}")
    _tell(f"{command} ledger --account {ACCOUNT}")
    _tell(f'{command} complete --account {ACCOUNT} --stream "Hello there"')


def _command() -> str:
    """Return how to call this command from here: it may lie in a virtual environment."""
    if shutil.which("tollkeeper"):
        return "tollkeeper"
    started = sys.argv[0]
    return os.path.relpath(started) if started.endswith("tollkeeper") else "python -m tollkeeper"


def _step(number: str, title: str) -> None:
    say()
    say(f"{number}. {title}", style="bold")


def _tell(text: str) -> None:
    say(f"   {text}")


def _tell_receipt(receipt: Receipt | None) -> None:
    if receipt is None:
        return
    released = receipt.held - receipt.charged
    measured = ", ".join(
        f"{quantity:,} {str(meter).replace('_', ' ')}"
        for meter, quantity in receipt.quantities.items()
        if meter is not Meter.REQUESTS
    )
    _tell(f"measured  {measured}")
    _tell(f"hold      {receipt.held} set aside before the call: the most it could cost")
    _tell(f"capture   {receipt.charged} taken, {released} given back")
    _tell(f"balance   {receipt.balance_after}")


async def _key_and_credit(tk: "Tollkeeper") -> Principal:
    _step("1", "Issue an API key")
    issued = await tk.issue_key(
        account=ACCOUNT, scopes=_SCOPES, name="demo", expires_in=timedelta(hours=1), actor="demo"
    )
    key = issued.key
    _tell(f"{key.display}  for the account {key.account}; it may {', '.join(sorted(key.scopes))}")
    _tell(
        "the whole token is shown once, by `tollkeeper keys issue`; the store keeps a check of it"
    )

    _step("2", "Give the account credit")
    started = datetime.now(UTC)
    entry = await tk.grant_credit(
        account=ACCOUNT, amount=Money.of(_WELCOME, "USD"), idempotency_key="welcome"
    )
    if entry.at < started:
        _tell(
            f"{entry.amount} was granted before, at {entry.at:%Y-%m-%d %H:%M:%S} UTC: the same "
            "idempotency key (welcome) grants once"
        )
    else:
        _tell(f"{entry.amount} granted, once for the idempotency key welcome")
    for balance in (await tk.report_usage(account=ACCOUNT)).balances:
        _tell(f"balance   {balance.posted}")

    _step("3", "Authenticate the key, as a host does with each request")
    principal = await tk.authenticate_key(issued.token)
    _tell(f"the key is good: its holder pays from the account {principal.account}")
    return principal


async def _stream(tk: "Tollkeeper", principal: Principal) -> None:
    prompt = "Every call is metered, charged once, and shown in the ledger."
    _step("4", f"Stream an answer of {MODEL}, a model that repeats what it hears")
    pieces = 0
    write("   ")
    async with tk.stream_completion(principal, model=MODEL, messages=[user(prompt)]) as stream:
        async for delta in stream:
            pieces += bool(delta.text)
            write(delta.text)
    write(f"   (in {pieces} pieces)\n")
    _tell_receipt(stream.receipt)


async def _call_tool(tk: "Tollkeeper", principal: Principal) -> None:
    prompt = "What is the weather in Paris?"
    _step("5", f"Let the model call a tool: {prompt}")
    answer = await tk.complete(
        principal, model=MODEL, messages=[user(prompt)], tools=[_WEATHER], max_tokens=100
    )
    for call in answer.tool_calls:
        _tell(f"it calls  {call.name} with {call.arguments}")
    _tell_receipt(answer.receipt)


async def _transcribe(tk: "Tollkeeper", principal: Principal) -> None:
    from tollkeeper.infra.samples import recording, recording_text

    _step("6", "Transcribe a recording that ships with Tollkeeper, by pocketsphinx")
    try:
        transcript = await tk.transcribe(principal, model="pocketsphinx/en-us", audio=recording())
    except ConfigurationError as error:
        _tell(f"left out: {error.public_message}")
        return
    _tell_text("heard     ", transcript.text)
    _tell_text("was said  ", recording_text())
    _tell(f"quality   {transcript.quality}: this engine needs no network, and often mishears")
    _tell_receipt(transcript.receipt)


def _tell_text(label: str, text: str) -> None:
    lines = textwrap.wrap(" ".join(text.split()), 76) or [""]
    for line in lines:
        _tell(label + line)
        label = " " * len(label)


async def _refusals(tk: "Tollkeeper", principal: Principal) -> None:
    _step("7", "Refusals cost nothing")
    with _refused("a key that nobody issued"):
        await tk.authenticate_key("tk_local_0000000000000000_not-a-key")
    with _refused("a call that could cost more than the credit left"):
        await tk.complete(
            principal, model=MODEL, messages=[user("A very long story")], max_tokens=100_000_000
        )


@contextmanager
def _refused(what: str) -> Iterator[None]:
    """Show the refusal that must come; one that does not come is an error in Tollkeeper."""
    try:
        yield
    except DomainError as error:
        _tell(f"{what}:")
        _tell(f"   {type(error).__name__}: {error.public_message}")
    else:
        raise AssertionError(f"not refused: {what}")
