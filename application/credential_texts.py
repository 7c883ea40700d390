"""What of an account's credential is encrypted, and the place to which that is bound."""

import json

from tollkeeper.domain.checks import checked_text
from tollkeeper.domain.credentials import Credential, StoredCredential
from tollkeeper.domain.errors import CorruptResponse, InvalidRequest
from tollkeeper.domain.sealed_values import Place
from tollkeeper.domain.secret import Secret


def place_of(account: str, credential_id: str) -> Place:
    """Name the place to which a stored credential is bound."""
    return Place(account, "credentials", credential_id, "sealed")


def only_secret(secret: object) -> Secret:
    """Put what is no Secret out of sight, since a traceback may show it; none is empty."""
    return secret if isinstance(secret, Secret) else Secret("")


def checked_label(label: str) -> str:
    """Return *label*: 1-64 printable characters.

    Raises:
        InvalidRequest: it is anything else.
    """
    if not label:
        raise InvalidRequest("a credential's label must not be empty")
    return checked_text(label, field="label", longest=64)


def text_of(credential: Credential) -> Secret:
    """Write what is encrypted of *credential*."""
    # Provider and base URL are within, so that a row that names another place is found out.
    return Secret(
        json.dumps([credential.provider, credential.base_url, credential.secret.reveal()])
    )


def secret_in(text: Secret, kept: StoredCredential) -> Secret | None:
    """Return the secret in *text*, or None if it is not for the place that the row *kept* names."""
    # Errors of the parser hold what they could not read: none of them leaves this function.
    try:
        provider, base_url, secret = json.loads(text.reveal())
    except (ValueError, TypeError):
        return None
    return Secret(secret) if (provider, base_url) == (kept.provider, kept.base_url) else None


def bound_elsewhere() -> CorruptResponse:
    """Make the answer where :func:`secret_in` finds none."""
    return CorruptResponse(
        "a stored credential is not for the provider and place that its row names; look at what "
        "wrote to it, and store it again",
        port="credential_store",
        adapter="account_credentials",
        code="decryption_failed",
    )
