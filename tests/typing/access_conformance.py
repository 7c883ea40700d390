"""Every adapter of keys, users and encryption fits its port: checked by mypy, never run."""

from pathlib import Path
from typing import TYPE_CHECKING, cast

from tollkeeper.adapters.aws.client import AwsClient
from tollkeeper.adapters.aws.key_encryption import AwsKeyEncryption
from tollkeeper.adapters.aws.secret_source import AwsSecretSource
from tollkeeper.adapters.cryptography.cipher import CryptographyCipher
from tollkeeper.adapters.cryptography.key_encryption import CryptographyKeyEncryption
from tollkeeper.adapters.cryptography.keyring_file import KeyringFile
from tollkeeper.adapters.cryptography.report_verifier import CryptographyReportVerifier
from tollkeeper.adapters.environment.secret_source import EnvironmentSecretSource
from tollkeeper.adapters.files.secret_source import FilesSecretSource
from tollkeeper.adapters.memory.credential_store import MemoryCredentialStore
from tollkeeper.adapters.memory.data_key_store import MemoryDataKeyStore
from tollkeeper.adapters.memory.database import MemoryDatabase
from tollkeeper.adapters.memory.quota_counter import MemoryQuotaCounter
from tollkeeper.adapters.memory.report_verifier import MemoryReportVerifier
from tollkeeper.adapters.memory.secret_source import MemorySecretSource
from tollkeeper.adapters.memory.token_verifier import MemoryTokenVerifier
from tollkeeper.adapters.postgres.connections import PostgresConnections
from tollkeeper.adapters.postgres.credential_store import PostgresCredentialStore
from tollkeeper.adapters.postgres.data_key_store import PostgresDataKeyStore
from tollkeeper.adapters.postgres.quota_counter import PostgresQuotaCounter
from tollkeeper.adapters.pyjwt.addresses import address_of
from tollkeeper.adapters.pyjwt.keys import FixedKeys
from tollkeeper.adapters.pyjwt.token_verifier import PyjwtTokenVerifier
from tollkeeper.adapters.sqlite.credential_store import SqliteCredentialStore
from tollkeeper.adapters.sqlite.data_key_store import SqliteDataKeyStore
from tollkeeper.adapters.sqlite.database import Database
from tollkeeper.adapters.sqlite.quota_counter import SqliteQuotaCounter
from tollkeeper.adapters.supabase.connections import SupabaseConnections
from tollkeeper.adapters.supabase.credential_store import SupabaseCredentialStore
from tollkeeper.adapters.supabase.data_key_store import SupabaseDataKeyStore
from tollkeeper.adapters.supabase.quota_counter import SupabaseQuotaCounter
from tollkeeper.adapters.system.clock import SystemClock
from tollkeeper.application.key_minting import FixedPeppers, Peppers
from tollkeeper.application.key_peppers import KeyPeppers
from tollkeeper.ports.cipher import Cipher, KeyedCipher
from tollkeeper.ports.credential_store import CredentialStore
from tollkeeper.ports.data_key_store import DataKeyStore
from tollkeeper.ports.health import HealthCheck
from tollkeeper.ports.key_encryption import KeyEncryption
from tollkeeper.ports.quota_counter import QuotaCounter
from tollkeeper.ports.report_verifier import ReportVerifier
from tollkeeper.ports.secret_source import SecretSource
from tollkeeper.ports.token_verifier import TokenVerifier
from tollkeeper.ports.versioned_secrets import VersionedSecretSource

if TYPE_CHECKING:
    clock = SystemClock()
    memory = MemoryDatabase()
    sqlite = Database(Path("nowhere.db"), lock_timeout=5)
    postgres = PostgresConnections.from_url("postgresql://nowhere/none")
    supabase = SupabaseConnections.from_url("supabase+http://service_role:k@nowhere")
    aws_client = cast("AwsClient", None)
    keyring_file = cast("KeyringFile", None)
    aws_secrets = AwsSecretSource(aws_client)
    aws_keys = AwsKeyEncryption(aws_client, "alias/tollkeeper")
    keyring = CryptographyKeyEncryption(keyring_file)
    users = PyjwtTokenVerifier(
        address_of("jwks+https://nowhere/keys?issuer=a&audience=b"), FixedKeys.of(None), clock
    )
    reports = CryptographyReportVerifier(Path("nowhere.json"))

    quota_counters: list[QuotaCounter] = [
        *(MemoryQuotaCounter(memory), SqliteQuotaCounter(sqlite)),
        *(PostgresQuotaCounter(postgres), SupabaseQuotaCounter(supabase)),
    ]
    data_key_stores: list[DataKeyStore] = [
        *(MemoryDataKeyStore(memory), SqliteDataKeyStore(sqlite)),
        *(PostgresDataKeyStore(postgres), SupabaseDataKeyStore(supabase)),
    ]
    credential_stores: list[CredentialStore] = [
        *(MemoryCredentialStore(memory), SqliteCredentialStore(sqlite)),
        *(PostgresCredentialStore(postgres), SupabaseCredentialStore(supabase)),
    ]
    secret_sources: list[SecretSource] = [aws_secrets]
    versioned: list[VersionedSecretSource] = [
        *(MemorySecretSource(), EnvironmentSecretSource({}), FilesSecretSource(Path("nowhere"))),
        aws_secrets,
    ]
    ciphers: list[Cipher] = [CryptographyCipher()]
    keyed: list[KeyedCipher] = [CryptographyCipher().keyed(bytes(32))]
    key_encryptions: list[KeyEncryption] = [keyring, aws_keys]
    token_verifiers: list[TokenVerifier] = [users, MemoryTokenVerifier(clock)]
    report_verifiers: list[ReportVerifier] = [reports, MemoryReportVerifier()]
    peppers: list[Peppers] = [FixedPeppers([]), KeyPeppers(aws_secrets, "pepper", clock)]
    checkable: list[HealthCheck] = [aws_secrets, aws_keys, keyring, users, reports]
