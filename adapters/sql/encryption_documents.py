"""Data keys, and credentials encrypted with them, as JSON documents by their columns' names."""

from tollkeeper.adapters.sql.documents import (
    Document,
    bytes_of,
    bytes_text,
    member,
    time_of,
    time_text,
)
from tollkeeper.domain.credentials import StoredCredential
from tollkeeper.domain.encryption import DataKey, DataKeyState, WrappedKey


def data_key_document(key: DataKey) -> dict[str, object]:
    """Write *key* as ``add_data_key`` and ``replace_data_key`` take it."""
    return {
        "id": key.id,
        "account": key.account,
        "algorithm": key.algorithm,
        "kek_id": key.wrapped.kek_id,
        "wrapped": bytes_text(key.wrapped.ciphertext),
        "commitment": bytes_text(key.commitment),
        "state": key.state.value,
        "created_at": time_text(key.created_at),
        "version": key.version,
    }


def data_key_from_document(document: Document) -> DataKey:
    """Read a document of ``data_key_documents``."""
    return DataKey(
        id=member(document, "id", str),
        account=member(document, "account", str),
        algorithm=member(document, "algorithm", int),
        wrapped=WrappedKey(member(document, "kek_id", str), bytes_of(document["wrapped"])),
        commitment=bytes_of(document["commitment"]),
        state=DataKeyState(document["state"]),
        created_at=time_of(document, "created_at"),
        version=member(document, "version", int),
    )


def credential_document(credential: StoredCredential) -> dict[str, object]:
    """Write *credential* as ``add_credential`` and ``replace_credential`` take it."""
    return {
        "id": credential.id,
        "account": credential.account,
        "provider": credential.provider,
        "base_url": credential.base_url,
        "label": credential.label,
        "sealed": bytes_text(credential.sealed),
        "data_key_id": credential.data_key_id,
        "created_at": time_text(credential.created_at),
        "version": credential.version,
    }


def credential_from_document(document: Document) -> StoredCredential:
    """Read a document of ``credential_documents``."""
    return StoredCredential(
        id=member(document, "id", str),
        account=member(document, "account", str),
        provider=member(document, "provider", str),
        base_url=member(document, "base_url", str),
        label=member(document, "label", str),
        sealed=bytes_of(document["sealed"]),
        data_key_id=member(document, "data_key_id", str),
        created_at=time_of(document, "created_at"),
        version=member(document, "version", int),
    )
