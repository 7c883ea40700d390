"""One completion: the whole metered call, from a prompt to the charge."""

import asyncio
import contextlib
import re
from typing import TYPE_CHECKING, Annotated

import typer

from tollkeeper.domain.completions import Completion, FinishReason
from tollkeeper.domain.errors import InvalidRequest, TollkeeperError
from tollkeeper.domain.messages import Message, system, user
from tollkeeper.infra.cli.documents import of_completion
from tollkeeper.infra.cli.output import note, print_json, write, write_text
from tollkeeper.infra.cli.paying import (
    ACCOUNT_HELP,
    KEY_HELP,
    check_payer,
    note_receipt,
    principal_of,
)
from tollkeeper.infra.cli.reading import checked_encodable, read_image, read_prompt
from tollkeeper.infra.cli.session import load_settings, with_tollkeeper
from tollkeeper.infra.cli.tools_file import read_tools

if TYPE_CHECKING:
    from tollkeeper.application.chat_options import ChatOptions
    from tollkeeper.domain.principals import Principal
    from tollkeeper.infra.facade import Tollkeeper

SCOPE = "chat:complete"
_URL = re.compile(r"https?://[!-~]+")
_NOTES = {
    FinishReason.LENGTH: "the answer was cut off at the most tokens allowed (--max-tokens)",
    FinishReason.CONTENT_FILTER: "the provider's content filter ended the answer",
}


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
    system_text: Annotated[
        str | None, typer.Option("--system", metavar="TEXT", help="How the model should behave.")
    ] = None,
    max_tokens: Annotated[
        int | None, typer.Option(help="The most tokens to write; the hold rests on it.")
    ] = None,
    temperature: Annotated[float | None, typer.Option(help="0 to 2.")] = None,
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
        "idempotency_key": idempotency_key,
    }
    if tools is not None:
        options["tools"] = read_tools(tools)
    messages = [system(checked_encodable(system_text, what="--system"))] if system_text else []
    images = [read_image(each) for each in image or []]
    messages.append(user([read_prompt(prompt, prompt_file), *images]))
    settings = load_settings(ctx, at_base_url)

    async def work(tk: "Tollkeeper") -> None:
        principal = await principal_of(tk, key=key, account=account, scope=SCOPE)
        if stream:
            await _stream(tk, principal, model, messages, options)
            return
        answer = await tk.complete(principal, model=model, messages=messages, **options)
        try:
            _print_answer(answer, as_json=as_json)
        finally:
            _note_end(answer)

    with_tollkeeper(settings, work)


async def _stream(
    tk: "Tollkeeper",
    principal: "Principal",
    model: str,
    messages: list[Message],
    options: "ChatOptions",
) -> None:
    stream = tk.stream_completion(principal, model=model, messages=messages, **options)
    try:
        async with stream:
            async for delta in stream:
                write_text(delta.text + delta.refusal)
        _print_tool_calls(stream.partial)
    except (TollkeeperError, asyncio.CancelledError):
        with contextlib.suppress(OSError):
            write("\n")  # so that what is said next does not stand in the answer
        raise
    finally:
        # Leaving early charges what came so far; whoever left early should see how much.
        _note_end(stream.partial)


def _print_answer(answer: Completion, *, as_json: bool) -> None:
    if as_json:
        print_json(of_completion(answer))
        return
    write_text(answer.text + answer.refusal)
    _print_tool_calls(answer)


def _print_tool_calls(answer: Completion) -> None:
    """Print a line for each tool call, and end the line of the text before it."""
    if answer.text or answer.refusal or not answer.tool_calls:
        write("\n")
    for call in answer.tool_calls:
        write_text(f"tool call {call.name} {call.arguments}\n")


def _note_end(answer: Completion) -> None:
    if answer.finish_reason in _NOTES:
        note(_NOTES[answer.finish_reason])
    note_receipt(answer.receipt)
