"""A facade that keeps accounts' credentials, with a keyring in a file."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from attrs import frozen

from tests.application.asked_models import HELLO, KeyedEmbedder, KeyedModel, answer
from tests.application.raw_stores import RawStore
from tests.application.world import EVERYTHING, settings_in
from tollkeeper import Money, Principal, Secret, Tollkeeper, open_tollkeeper
from tollkeeper.adapters.cryptography.keyring_file import new_keyring
from tollkeeper.adapters.memory.chat_model import MemoryChatModel
from tollkeeper.application.account_credentials import AccountCredentials
from tollkeeper.contracts.samples import new_id
from tollkeeper.domain.credentials import Credential, StoredCredential
from tollkeeper.domain.encryption import DataKey

SCOPES = frozenset({"credentials:read", "credentials:write", "credentials:use"})


def keyring_in(folder: Path) -> Path:
    """Return a keyring with one key, which is made if it is not there."""
    path = folder / "kek.keyring"
    if not path.exists():
        new_keyring(path, at=datetime.now(UTC))
    return path


@frozen(eq=False)
class CredentialWorld:
    """A facade, the models that it asks, and an account of its own."""

    tk: Tollkeeper
    models: dict[str, Any]
    account: str

    @property
    def principal(self) -> Principal:
        """A caller of the account who may do everything."""
        return Principal(self.account, SCOPES | EVERYTHING)

    @property
    def own(self) -> AccountCredentials:
        """The account's credentials."""
        return self.tk.credentials.of(self.principal)

    async def store(self, secret: str, *, provider: str = "tokens", **more: Any) -> str:
        """Keep *secret*, and return its id."""
        return (await self.own.store(provider=provider, secret=Secret(secret), **more)).id

    async def load(self, credential_id: str) -> str:
        """Return the text of a secret."""
        return (await self.own.load(credential_id)).secret.reveal()

    async def row(self, credential_id: str) -> StoredCredential:
        """Return the row as it is in the store."""
        store = self.tk.credentials.credential_store
        return await store.get(account=self.account, credential_id=credential_id)

    async def data_keys(self) -> tuple[DataKey, ...]:
        """Return the account's data keys as they are in the store."""
        return await self.tk.rotate_encryption.data_key_store.of_account(self.account)

    async def actions(self) -> list[str]:
        """Return what was done, by the audit log."""
        return [entry.action for entry in await self.tk.list_audit(account=self.account)]

    async def call_with(self, credential: Credential) -> str:
        """Make a call with *credential*, and return the secret that the provider got."""
        await self.tk.grant_credit(
            account=self.account, amount=Money.of("1.00", "USD"), idempotency_key="credit"
        )
        await self.tk.complete(
            self.principal, model="tokens/m", messages=HELLO, credentials=[credential]
        )
        sent: str = self.models["tokens"].keys[-1]
        return sent


@asynccontextmanager
async def open_credentials(
    folder: Path, raw: RawStore, *, account: str = "", key_encryption: Any = "", **more: Any
) -> AsyncIterator[CredentialWorld]:
    """Open a facade on *raw* with the keyring in *folder*; *key_encryption* may also be lent."""
    models = {
        "tokens": KeyedModel("tokens", answer()),
        "spare": KeyedModel("spare", answer(), base_url="https://two.example"),
        "plain": MemoryChatModel(answer()),
    }
    if key_encryption == "":
        key_encryption = f"keyring://{keyring_in(folder)}"
    if key_encryption is not None and not isinstance(key_encryption, str):
        more["key_encryption"], key_encryption = key_encryption, None
    settings = settings_in(folder, store=raw.url, key_encryption=key_encryption)
    embedders = {"vectors": KeyedEmbedder("vectors", "https://three.example")}
    lent = {"chat_models": models, "embedders": embedders, **raw.lent, **more}
    async with open_tollkeeper(settings, **lent) as tk:
        yield CredentialWorld(tk, models, account or new_id("account"))
