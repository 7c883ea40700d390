"""What of an account's credential is encrypted, and the place to which that is bound."""

import json

from tollkeeper.domain.credentials import Credential, StoredCredential
from tollkeeper.domain.sealed_values import Place
from tollkeeper.domain.secret import Secret


def place_of(account: str, credential_id: str) -> Place:
    """Name the place to which a stored credential is bound."""
    return Place(account, "credentials", credential_id, "sealed")


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
