"""One transcription: the same metered call, on a recording."""

from typing import TYPE_CHECKING, Annotated

import typer

from tollkeeper.domain.transcripts import Transcript
from tollkeeper.infra.cli.documents import of_transcript
from tollkeeper.infra.cli.output import note, print_json, write_text
from tollkeeper.infra.cli.paying import (
    ACCOUNT_HELP,
    KEY_HELP,
    check_payer,
    note_receipt,
    principal_of,
)
from tollkeeper.infra.cli.reading import LARGEST_RECORDING, read_bytes
from tollkeeper.infra.cli.session import load_settings, with_tollkeeper

if TYPE_CHECKING:
    from tollkeeper.infra.facade import Tollkeeper

SCOPE = "audio:transcribe"


def transcribe(
    ctx: typer.Context,
    file: Annotated[str, typer.Argument(metavar="FILE", help="The recording; - is stdin.")],
    *,
    model: Annotated[
        str, typer.Option("--model", "-m", help="Which model, as provider/name.")
    ] = "pocketsphinx/en-us",
    idempotency_key: Annotated[
        str | None, typer.Option(metavar="KEY", help="Names this call: it is charged once at most.")
    ] = None,
    key: Annotated[str | None, typer.Option(metavar="TOKEN", help=KEY_HELP)] = None,
    account: Annotated[str | None, typer.Option(help=ACCOUNT_HELP)] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, receipt included.")] = False,
) -> None:
    """Write down what is said in a recording, and charge its seconds."""
    check_payer(key, account)
    audio = read_bytes(file, what="the recording", most=LARGEST_RECORDING)
    settings = load_settings(ctx)

    async def work(tk: "Tollkeeper") -> Transcript:
        principal = await principal_of(tk, key=key, account=account, scope=SCOPE)
        return await tk.transcribe(
            principal, model=model, audio=audio, idempotency_key=idempotency_key
        )

    transcript = with_tollkeeper(settings, work)
    if as_json:
        print_json(of_transcript(transcript))
    else:
        write_text(f"{transcript.text}\n")
    if not transcript.text:
        note("no speech was recognised")
    elif transcript.quality == "low":
        note("this engine's quality is low: good for tests and rough search alone")
    note_receipt(transcript.receipt)
