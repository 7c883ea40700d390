"""The command that moves all that is kept to the newest peppers and keys."""

from collections import Counter
from typing import TYPE_CHECKING, Annotated

import typer
from attrs import frozen

from tollkeeper.application.rotate_encryption import RotationReport
from tollkeeper.application.seal_keys import SealReport
from tollkeeper.domain.errors import ConfigurationError
from tollkeeper.infra.cli import exits
from tollkeeper.infra.cli.documents_keys import of_rotation, of_seal_report
from tollkeeper.infra.cli.key_options import ACTOR, Json
from tollkeeper.infra.cli.keys_sealing import print_seals, seal_all
from tollkeeper.infra.cli.output import note, print_json, print_table, right, say, whole
from tollkeeper.infra.cli.progress import counting
from tollkeeper.infra.cli.session import load_settings, with_tollkeeper

if TYPE_CHECKING:
    from tollkeeper.infra.facade import Tollkeeper

_PAGE = 100


@frozen
class _Rotated:
    """What became of the keys, and of the data keys where there are key-encryption keys."""

    seals: SealReport
    pepper: str
    encryption: RotationReport | None = None
    under: dict[str, int] | None = None
    """How many data keys are wrapped under which key-encryption key."""


def rotate(
    ctx: typer.Context,
    *,
    data_keys: Annotated[
        bool,
        typer.Option(
            "--data-keys",
            help="Also give each account a new data key, and encrypt all of its values anew.",
        ),
    ] = False,
    as_json: Json = False,
) -> None:
    """Move what is kept to the newest secrets; may be broken off and run again.

    Seals all API keys under the current pepper, and wraps all data keys under the current
    key-encryption key. Shows what still hangs on former ones. Exits with 1 if a key's record is
    not as it was sealed, its pepper is not configured, or a value does not open.
    """
    settings = load_settings(ctx)
    encrypts = settings.key_encryption is not None
    if data_keys and not encrypts:
        raise ConfigurationError(
            "key_encryption: there are no key-encryption keys, so there are no data keys; set "
            "key_encryption to where they are, or leave --data-keys out"
        )

    async def work(tk: "Tollkeeper") -> _Rotated:
        with counting("sealing keys") as progress:
            seals = await seal_all(tk, unsealed=False, progress=progress)
        pepper = tk.seal_keys.mint.peppers.current().id
        if not encrypts:
            return _Rotated(seals, pepper)
        return _Rotated(seals, pepper, await _encrypt(tk, data_keys=data_keys), await _under(tk))

    rotated = with_tollkeeper(settings, work)
    if as_json:
        print_json(
            {
                "keys": of_seal_report(rotated.seals, current=rotated.pepper),
                "encryption": of_rotation(rotated.encryption, rotated.under),
            }
        )
    else:
        print_seals(
            rotated.seals, current=rotated.pepper, retired=bool(settings.retired_key_peppers)
        )
        _print(rotated)
    seals, encryption = rotated.seals, rotated.encryption
    if seals.tampered or seals.missing or (encryption is not None and encryption.unreadable):
        raise typer.Exit(exits.FAULTS_FOUND)


async def _encrypt(tk: "Tollkeeper", *, data_keys: bool) -> RotationReport:
    what = "encrypting values anew" if data_keys else "wrapping data keys"
    with counting(what) as progress:
        return await tk.rotate_encryption(
            new_data_keys=data_keys,
            actor=ACTOR,
            progress=lambda report: progress(report.data_keys + report.values),
        )


async def _under(tk: "Tollkeeper") -> dict[str, int]:
    """Count the data keys under each key-encryption key, as they stand in the store now."""
    store, after = tk.rotate_encryption.data_key_store, None
    under: Counter[str] = Counter()
    while page := await store.page(after=after, limit=_PAGE):
        under.update(key.wrapped.kek_id for key in page)
        after = page[-1].id
    return dict(under)


def _print(rotated: _Rotated) -> None:
    report = rotated.encryption
    if report is None:
        return
    say(
        f"{report.data_keys} data keys: {report.rewrapped} wrapped anew, {report.replaced} "
        f"replaced, {report.destroyed} destroyed; {report.values} values encrypted anew"
    )
    print_table(
        "What hangs on which key-encryption key",
        [*whole("key-encryption key"), *right("data keys")],
        sorted((rotated.under or {}).items()),
        empty="there are no data keys",
    )
    if report.unreadable:
        say(f"do not open, and were left as they are: {', '.join(report.unreadable)}")
    note("a key-encryption key that is not in this table may be disabled, and later taken away")
