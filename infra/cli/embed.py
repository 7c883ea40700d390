"""Embeddings: the same metered call, on texts."""

from typing import TYPE_CHECKING, Annotated

import typer

from tollkeeper.domain.embeddings import Embeddings
from tollkeeper.infra.cli.answers import note_attempts
from tollkeeper.infra.cli.documents import of_embeddings
from tollkeeper.infra.cli.output import left, print_json, print_table, right
from tollkeeper.infra.cli.paying import (
    ACCOUNT_HELP,
    KEY_HELP,
    check_payer,
    note_receipt,
    principal_of,
)
from tollkeeper.infra.cli.reading import STDIN, checked_encodable, read_text
from tollkeeper.infra.cli.session import load_settings, with_tollkeeper

if TYPE_CHECKING:
    from tollkeeper.application.embed import EmbeddingOptions
    from tollkeeper.infra.facade import Tollkeeper

SCOPE = "embeddings:create"
_SHOWN = 4
"""How many numbers of a vector fit into a row."""


def embed(
    ctx: typer.Context,
    text: Annotated[
        list[str], typer.Argument(metavar="TEXT…", help="What to embed; - is standard input.")
    ],
    *,
    model: Annotated[
        str, typer.Option("--model", "-m", help="Which model, as provider/name.")
    ] = "offline/hash",
    dimensions: Annotated[
        int | None,
        typer.Option(help="How many numbers each, where the model can.", show_default="all"),
    ] = None,
    idempotency_key: Annotated[
        str | None, typer.Option(metavar="KEY", help="Names this call: it is charged once at most.")
    ] = None,
    key: Annotated[str | None, typer.Option(metavar="TOKEN", help=KEY_HELP)] = None,
    account: Annotated[str | None, typer.Option(help=ACCOUNT_HELP)] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, whole vectors.")] = False,
) -> None:
    """Turn texts into vectors, and charge the tokens; --json prints the vectors in full."""
    check_payer(key, account)
    texts = [
        read_text(STDIN, what="the text")
        if each == STDIN
        else checked_encodable(each, what="the text")
        for each in text
    ]
    options: EmbeddingOptions = {"dimensions": dimensions, "idempotency_key": idempotency_key}
    settings = load_settings(ctx)

    async def work(tk: "Tollkeeper") -> Embeddings:
        principal = await principal_of(tk, key=key, account=account, scope=SCOPE)
        return await tk.embed(principal, model=model, texts=texts, **options)

    found = with_tollkeeper(settings, work)
    try:
        if as_json:
            print_json(of_embeddings(found))
        else:
            _print(texts, found)
    finally:
        note_attempts(found.attempts)
        note_receipt(found.receipt)


def _print(texts: list[str], found: Embeddings) -> None:
    columns = [*right("#"), *left("text"), *right("numbers"), *left("which begin")]
    rows = [
        (
            number,
            " ".join(text.split())[:40],
            len(vector),
            " ".join(f"{value:+.4f}" for value in vector[:_SHOWN]),
        )
        for number, (text, vector) in enumerate(zip(texts, found.vectors, strict=True), start=1)
    ]
    print_table(f"Vectors of {found.model}", columns, rows, empty="")
