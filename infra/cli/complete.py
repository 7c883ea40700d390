"""One completion: the whole metered call, from a prompt to the charge."""

import asyncio
import contextlib
import re
from typing import TYPE_CHECKING, Annotated, cast

import typer

from tollkeeper.domain.errors import CorruptResponse, InvalidRequest, TollkeeperError
from tollkeeper.domain.messages import Message, system, user
from tollkeeper.infra.cli.answers import note_end, print_answer, print_tool_calls
from tollkeeper.infra.cli.output import write, write_text
from tollkeeper.infra.cli.paying import ACCOUNT_HELP, KEY_HELP, check_payer, principal_of
from tollkeeper.infra.cli.reading import (
    checked_encodable,
    read_duration,
    read_file_part,
    read_image,
    read_prompt,
    read_schema,
    read_sound,
)
from tollkeeper.infra.cli.session import load_settings, with_tollkeeper
from tollkeeper.infra.cli.tools_file import read_tools

if TYPE_CHECKING:
    from tollkeeper.application.chat_options import ChatOptions
    from tollkeeper.domain.chat import ReasoningEffort
    from tollkeeper.domain.messages import Part
    from tollkeeper.domain.principals import Principal
    from tollkeeper.infra.facade import Tollkeeper

SCOPE = "chat:complete"
_URL = re.compile(r"https?://[!-~]+")


def _at_base_url(model: str, base_url: str | None) -> tuple[str, dict[str, str]]:
    """Return the model's full name, and the setting that serves its provider at *base_url*."""
    if base_url is None:
        return model, {}
    if not _URL.fullmatch(base_url):
        raise InvalidRequest("--base-url is a URL, such as http://localhost:8000/v1")
    name = model if "/" in model else f"openai/{model}"
    provider = name.partition("/")[0].upper()
    return name, {f"TOLLKEEPER_CHAT_MODELS__{provider}": f"openai+{base_url}"}


def complete(
    ctx: typer.Context,
    prompt: Annotated[
        str | None, typer.Argument(show_default="standard input", help="What to say; - is stdin.")
    ] = None,
    *,
    prompt_file: Annotated[
        str | None, typer.Option(metavar="FILE", help="Read the prompt from a file; - is stdin.")
    ] = None,
    model: Annotated[
        str, typer.Option("--model", "-m", help="Which model, as provider/name.")
    ] = "offline/echo",
    stream: Annotated[
        bool, typer.Option("--stream", "-s", help="Print the answer as it comes.")
    ] = False,
    base_url: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            help="Where the model's provider is served, in OpenAI's format, for this call. Its "
            "credential is TOLLKEEPER_API_KEYS__<PROVIDER>; a model without a provider is "
            "openai/…",
        ),
    ] = None,
    tools: Annotated[
        str | None, typer.Option(metavar="FILE", help="A JSON list of tools that it may call.")
    ] = None,
    image: Annotated[
        list[str] | None,
        typer.Option(metavar="FILE|URL", help="An image to look at; may be given again."),
    ] = None,
    audio: Annotated[
        list[str] | None,
        typer.Option(metavar="FILE", help="A sound to listen to; may be given again."),
    ] = None,
    file: Annotated[
        list[str] | None,
        typer.Option(metavar="FILE|URL", help="A document to read; may be given again."),
    ] = None,
    json_schema: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="The JSON Schema that the answer must keep to."),
    ] = None,
    system_text: Annotated[
        str | None, typer.Option("--system", metavar="TEXT", help="How the model should behave.")
    ] = None,
    max_tokens: Annotated[
        int | None, typer.Option(help="The most tokens to write; the hold rests on it.")
    ] = None,
    temperature: Annotated[float | None, typer.Option(help="0 to 2.")] = None,
    reasoning_effort: Annotated[
        str | None,
        typer.Option(metavar="EFFORT", help="none, minimal, low, medium, high, xhigh or max."),
    ] = None,
    reasoning_budget: Annotated[
        int | None, typer.Option(help="The most tokens to think with, below --max-tokens.")
    ] = None,
    show_reasoning: Annotated[
        bool, typer.Option("--show-reasoning", help="Show what it thought, beside the answer.")
    ] = False,
    drop_unsupported: Annotated[
        bool,
        typer.Option("--drop-unsupported", help="Leave out, with a warning, what it cannot take."),
    ] = False,
    fallback: Annotated[
        list[str] | None,
        typer.Option(
            metavar="MODEL",
            help="Whom to ask if the model is out of order; may be given again.",
            show_default="as in the settings",
        ),
    ] = None,
    timeout: Annotated[
        str | None,
        typer.Option(
            metavar="DURATION",
            help="How long the whole call may take, such as 30s.",
            show_default="as in the settings",
        ),
    ] = None,
    idempotency_key: Annotated[
        str | None, typer.Option(metavar="KEY", help="Names this call: it is charged once at most.")
    ] = None,
    key: Annotated[str | None, typer.Option(metavar="TOKEN", help=KEY_HELP)] = None,
    account: Annotated[str | None, typer.Option(help=ACCOUNT_HELP)] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, receipt included.")] = False,
) -> None:
    """Make a completion: the answer on standard output, its hold and charge on standard error."""
    if stream and as_json:
        raise InvalidRequest("--stream prints pieces and --json one document; choose one")
    check_payer(key, account)
    model, at_base_url = _at_base_url(model, base_url)
    options: ChatOptions = {
        "max_tokens": max_tokens,
        "temperature": temperature,
        "reasoning_effort": cast("ReasoningEffort | None", reasoning_effort),
        "reasoning_budget": reasoning_budget,
        "fallbacks": fallback or None,
        "timeout": read_duration(timeout, option="--timeout"),
        "idempotency_key": idempotency_key,
    }
    if drop_unsupported:
        options["on_unsupported"] = "drop"
    if tools is not None:
        options["tools"] = read_tools(tools)
    if json_schema is not None:
        options["response_format"] = read_schema(json_schema)
    messages = [system(checked_encodable(system_text, what="--system"))] if system_text else []
    parts: list[Part] = [
        *(read_image(each) for each in image or ()),
        *(read_sound(each) for each in audio or ()),
        *(read_file_part(each) for each in file or ()),
    ]
    messages.append(user([read_prompt(prompt, prompt_file), *parts]))
    settings = load_settings(ctx, at_base_url)

    async def work(tk: "Tollkeeper") -> None:
        principal = await principal_of(tk, key=key, account=account, scope=SCOPE)
        if stream:
            await _stream(tk, principal, model, messages, options, reasoning=show_reasoning)
            return
        try:
            answer = await tk.complete(principal, model=model, messages=messages, **options)
        except CorruptResponse as error:
            if error.partial is not None:  # charged already, so it is shown all the same
                print_answer(error.partial, as_json=as_json)
                note_end(error.partial, asked=model, reasoning=show_reasoning)
            raise
        try:
            print_answer(answer, as_json=as_json)
        finally:
            note_end(answer, asked=model, reasoning=show_reasoning)

    with_tollkeeper(settings, work)


async def _stream(
    tk: "Tollkeeper",
    principal: "Principal",
    model: str,
    messages: list[Message],
    options: "ChatOptions",
    *,
    reasoning: bool,
) -> None:
    stream = tk.stream_completion(principal, model=model, messages=messages, **options)
    try:
        async with stream:
            async for delta in stream:
                write_text(delta.text + delta.refusal)
        print_tool_calls(stream.partial)
    except (TollkeeperError, asyncio.CancelledError):
        with contextlib.suppress(OSError):
            write("\n")  # so that what is said next does not stand in the answer
        raise
    finally:
        # Leaving early charges what came so far; whoever left early should see how much.
        note_end(stream.partial, asked=model, reasoning=reasoning)
