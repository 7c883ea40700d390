"""Accounts' own credentials for providers: keep, list, remove, and forget all of them."""

from typing import TYPE_CHECKING, Annotated

import typer

from tollkeeper.domain.credentials import StoredCredential
from tollkeeper.domain.secret import Secret
from tollkeeper.infra.cli import exits
from tollkeeper.infra.cli.confirming import confirmed
from tollkeeper.infra.cli.documents_keys import of_credential
from tollkeeper.infra.cli.key_options import ACTOR, Json
from tollkeeper.infra.cli.output import left, note, print_json, print_table, say, when, whole
from tollkeeper.infra.cli.reading import STDIN, read_text
from tollkeeper.infra.cli.session import load_settings, with_tollkeeper

if TYPE_CHECKING:
    from tollkeeper.infra.facade import Tollkeeper

app = typer.Typer(no_args_is_help=True, help="Keep accounts' own credentials, encrypted.")

Account = Annotated[str, typer.Option("--account", help="Whose they are.")]
CredentialId = Annotated[
    str, typer.Argument(metavar="CREDENTIAL_ID", help="Its id, from `credentials list`.")
]
_LARGEST = 65_536


@app.command()
def store(
    ctx: typer.Context,
    *,
    account: Account,
    provider: Annotated[str, typer.Option(help="Which provider it is for, as settings call it.")],
    label: Annotated[str, typer.Option(help="What the account calls it.")] = "default",
    as_json: Json = False,
) -> None:
    """Keep a provider's secret for an account, encrypted; the secret is read from standard input.

    It is bound to the address that the provider has in the settings now.
    """
    secret = _read_secret()

    async def work(tk: "Tollkeeper") -> StoredCredential:
        own = tk.credentials.of_account(account, actor=ACTOR)
        return await own.store(provider=provider, secret=secret, label=label)

    kept = with_tollkeeper(load_settings(ctx), work)
    if as_json:
        print_json(of_credential(kept))
    else:
        say(f"kept {kept.id} ({kept.label}) of {kept.account} for {kept.provider}")


@app.command()
def replace(
    ctx: typer.Context, credential_id: CredentialId, *, account: Account, as_json: Json = False
) -> None:
    """Put another secret, read from standard input, in the place of the one that is kept."""
    secret = _read_secret()

    async def work(tk: "Tollkeeper") -> StoredCredential:
        own = tk.credentials.of_account(account, actor=ACTOR)
        return await own.replace(credential_id, secret=secret)

    kept = with_tollkeeper(load_settings(ctx), work)
    if as_json:
        print_json(of_credential(kept))
    else:
        say(f"replaced the secret of {kept.id} ({kept.label}) of {kept.account}")


def _read_secret() -> Secret:
    return Secret(read_text(STDIN, what="the secret", most=_LARGEST).strip())


@app.command("list")
def list_(
    ctx: typer.Context,
    *,
    account: Account,
    limit: Annotated[int, typer.Option(help="How many at most, 1-1000.")] = 100,
    after: Annotated[
        str | None, typer.Option(metavar="CREDENTIAL_ID", help="Begin after this one.")
    ] = None,
    as_json: Json = False,
) -> None:
    """List an account's credentials, oldest first; secrets are never shown."""

    async def work(tk: "Tollkeeper") -> tuple[StoredCredential, ...]:
        return await tk.credentials.of_account(account).list(limit=limit, after=after)

    found = with_tollkeeper(load_settings(ctx), work)
    if as_json:
        print_json([of_credential(each) for each in found])
        return
    columns = [*whole("id"), *left("provider", "label", "bound to", "kept (UTC)")]
    rows = [
        (each.id, each.provider, each.label, each.base_url, when(each.created_at)) for each in found
    ]
    empty = f"{account} has no credentials"
    print_table(f"Credentials of {account}", columns, rows, empty=empty)
    if len(found) == limit:
        note(f"there may be more: --after {found[-1].id}")


@app.command()
def remove(
    ctx: typer.Context, credential_id: CredentialId, *, account: Account, as_json: Json = False
) -> None:
    """Forget one credential of an account."""

    async def work(tk: "Tollkeeper") -> StoredCredential:
        return await tk.credentials.of_account(account, actor=ACTOR).remove(credential_id)

    gone = with_tollkeeper(load_settings(ctx), work)
    if as_json:
        print_json(of_credential(gone))
    else:
        say(f"removed {gone.id} ({gone.label}) of {gone.account} for {gone.provider}")


@app.command()
def forget(
    ctx: typer.Context,
    *,
    account: Account,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: Json = False,
) -> None:
    """Forget all credentials of an account, and destroy the keys that open any copy of them.

    Its API keys, ledger, usage and audit log stay. Asks before, unless --yes is given.
    """
    if not yes and not confirmed(
        f"Destroy the data keys of {account} for good?", what="what they encrypt"
    ):
        note(f"nothing of {account} was forgotten")
        raise typer.Exit(exits.FAULTS_FOUND)

    async def work(tk: "Tollkeeper") -> int:
        return await tk.forget_account(account=account, actor=ACTOR)

    count = with_tollkeeper(load_settings(ctx), work)
    if as_json:
        print_json({"account": account, "credentials": count})
    else:
        say(f"forgot {count} credentials of {account}; its data keys are destroyed")
