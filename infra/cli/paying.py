"""Who makes a call and pays for it, and what it took."""

import os
from typing import TYPE_CHECKING

from tollkeeper.domain.completions import Receipt
from tollkeeper.domain.errors import InvalidRequest
from tollkeeper.domain.meters import Provenance
from tollkeeper.domain.principals import Principal
from tollkeeper.infra.cli.output import note
from tollkeeper.infra.cli.session import KEY_VARIABLE

if TYPE_CHECKING:
    from tollkeeper.infra.facade import Tollkeeper

KEY_HELP = (
    f"The API key that makes the call; better set {KEY_VARIABLE}, for others may see arguments."
)
ACCOUNT_HELP = "Make the call for this account without a key, as a host does for its own users."


def check_payer(key: str | None, account: str | None) -> None:
    """Check that it is clear who pays, before anything is read or opened.

    Raises:
        InvalidRequest: nobody is named, or two are.
    """
    if key is not None and account is not None:
        raise InvalidRequest("give --key or --account, not both")
    if key is None and account is None and not os.environ.get(KEY_VARIABLE):
        raise InvalidRequest(
            f"say who pays: an API key with --key or {KEY_VARIABLE} (see `tollkeeper keys issue`), "
            "or --account NAME"
        )


async def principal_of(
    tk: "Tollkeeper", *, key: str | None, account: str | None, scope: str
) -> Principal:
    """Authenticate the key, or take the host's word for the account."""
    if account is not None:
        return Principal(account=account, scopes={scope})
    return await tk.authenticate_key(key if key is not None else os.environ[KEY_VARIABLE])


def note_receipt(receipt: Receipt | None) -> None:
    """Say on one line what was set aside, taken and left."""
    if receipt is None:
        return  # the call never began; the error says why
    estimated = " (estimated)" if receipt.provenance is Provenance.ESTIMATED else ""
    note(
        f"held {receipt.held} → charged {receipt.charged}{estimated} → "
        f"balance {receipt.balance_after}"
    )
