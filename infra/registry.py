"""Which scheme of a URL names which adapter: ours by this table, others by entry points.

A third party registers ``<port>.<scheme>`` in the entry-point group ``tollkeeper.adapters``; its
factory is called like ours: with the URL, and with the keywords that :data:`CONTEXT` lists for
the port.
"""

from collections.abc import Callable, Mapping
from importlib.metadata import entry_points
from typing import Any

from tollkeeper.domain.errors import ConfigurationError
from tollkeeper.infra.lazy import Lazy

GROUP = "tollkeeper.adapters"
_ADAPTERS = "tollkeeper.adapters"
_OPENAI = Lazy(f"{_ADAPTERS}.openai.chat_model:OpenaiChatModel.from_url", extra="openai")
_OPENAI_EMBEDDER = Lazy(f"{_ADAPTERS}.openai.embedder:OpenaiEmbedder.from_url", extra="openai")
_ANTHROPIC = Lazy(
    f"{_ADAPTERS}.anthropic.chat_model:AnthropicChatModel.from_url", extra="anthropic"
)
_LITELLM = Lazy(f"{_ADAPTERS}.litellm.chat_model:LitellmChatModel.from_url", extra="litellm")
_LITELLM_EMBEDDER = Lazy(f"{_ADAPTERS}.litellm.embedder:LitellmEmbedder.from_url", extra="litellm")
_POSTGRES = Lazy(f"{_ADAPTERS}.postgres.store:PostgresStore.from_url", extra="postgres")
_POSTGRES_TABLES = Lazy(f"{_ADAPTERS}.postgres.tables:PostgresTables.from_url", extra="postgres")
_SUPABASE = Lazy(f"{_ADAPTERS}.supabase.store:SupabaseStore.from_url", extra="supabase")
_SUPABASE_TABLES = Lazy(f"{_ADAPTERS}.supabase.tables:SupabaseTables.from_url", extra="supabase")
_CIPHER = Lazy(f"{_ADAPTERS}.cryptography.cipher:CryptographyCipher.from_url", extra="cryptography")
_KEYRING = Lazy(
    f"{_ADAPTERS}.cryptography.key_encryption:CryptographyKeyEncryption.from_url",
    extra="cryptography",
)
_REDIS = ("redis", "rediss", "redis+cluster", "redis+sentinel")


def _redis(where: str) -> dict[str, Lazy]:
    """All schemes of an adapter on Redis: plain and TLS, one server or several."""
    factory = Lazy(f"{_ADAPTERS}.redis.{where}.from_url", extra="redis")
    return dict.fromkeys(_REDIS, factory)


BUILT_IN: Mapping[str, Mapping[str, Lazy]] = {
    "store": {
        "memory": Lazy(f"{_ADAPTERS}.memory.store:MemoryStore.from_url"),
        "sqlite": Lazy(f"{_ADAPTERS}.sqlite.store:SqliteStore.from_url"),
        "postgresql": _POSTGRES,
        "postgres": _POSTGRES,
        "supabase+https": _SUPABASE,
        "supabase+http": _SUPABASE,
    },
    "cache": {
        "memory": Lazy(f"{_ADAPTERS}.memory.cache:MemoryCache.from_url"),
        **_redis("cache:RedisCache"),
    },
    "rate_limiter": {
        "memory": Lazy(f"{_ADAPTERS}.memory.rate_limiter:MemoryRateLimiter.from_url"),
        **_redis("rate_limiter:RedisRateLimiter"),
    },
    "lock": {
        "memory": Lazy(f"{_ADAPTERS}.memory.lock:MemoryLock.from_url"),
        **_redis("lock:RedisLock"),
    },
    "event_log": {
        "memory": Lazy(f"{_ADAPTERS}.memory.event_log:MemoryEventLog.from_url"),
        **_redis("event_log:RedisEventLog"),
    },
    "broadcast": {
        "memory": Lazy(f"{_ADAPTERS}.memory.broadcast:MemoryBroadcast.from_url"),
        **_redis("broadcast:RedisBroadcast"),
    },
    "tables": {
        "memory": Lazy(f"{_ADAPTERS}.memory.tables:MemoryTables.from_url"),
        "sqlite": Lazy(f"{_ADAPTERS}.sqlite.tables:SqliteTables.from_url"),
        "postgresql": _POSTGRES_TABLES,
        "postgres": _POSTGRES_TABLES,
        "supabase+https": _SUPABASE_TABLES,
        "supabase+http": _SUPABASE_TABLES,
    },
    "telemetry": {
        "null": Lazy(f"{_ADAPTERS}.null.telemetry:NullTelemetry.from_url"),
        "jsonl": Lazy(f"{_ADAPTERS}.json_lines.telemetry:JsonLinesTelemetry.from_url"),
        "memory": Lazy(f"{_ADAPTERS}.memory.telemetry:MemoryTelemetry.from_url"),
    },
    "chat_model": {
        "offline": Lazy(f"{_ADAPTERS}.offline.chat_model:OfflineChatModel.from_url"),
        "openai+https": _OPENAI,
        "openai+http": _OPENAI,
        "anthropic+https": _ANTHROPIC,
        "anthropic+http": _ANTHROPIC,
        "litellm+https": _LITELLM,
        "litellm+http": _LITELLM,
    },
    "embedder": {
        "offline": Lazy(f"{_ADAPTERS}.offline.embedder:OfflineEmbedder.from_url"),
        "openai+https": _OPENAI_EMBEDDER,
        "openai+http": _OPENAI_EMBEDDER,
        "litellm+https": _LITELLM_EMBEDDER,
        "litellm+http": _LITELLM_EMBEDDER,
    },
    "transcriber": {
        "pocketsphinx": Lazy(
            f"{_ADAPTERS}.pocketsphinx.transcriber:PocketsphinxTranscriber.from_url",
            extra="pocketsphinx",
        ),
    },
    "secret_source": {
        "env": Lazy(f"{_ADAPTERS}.environment.secret_source:EnvironmentSecretSource.from_url"),
        "file": Lazy(f"{_ADAPTERS}.files.secret_source:FilesSecretSource.from_url"),
        "aws-secrets": Lazy(f"{_ADAPTERS}.aws.secret_source:AwsSecretSource.from_url", extra="aws"),
    },
    "cipher": {"aes256-gcm": _CIPHER, "aes256-gcm-siv": _CIPHER},
    "key_encryption": {
        "keyring": _KEYRING,
        "keyring+env": _KEYRING,
        "aws-kms": Lazy(f"{_ADAPTERS}.aws.key_encryption:AwsKeyEncryption.from_url", extra="aws"),
    },
    "token_verifier": {
        "memory": Lazy(f"{_ADAPTERS}.memory.token_verifier:MemoryTokenVerifier.from_url"),
        **dict.fromkeys(
            ("jwks+https", "jwks+http", "jwt+hs256", "jwt+pem"),
            Lazy(f"{_ADAPTERS}.pyjwt.token_verifier:PyjwtTokenVerifier.from_url", extra="pyjwt"),
        ),
    },
    "report_verifier": {
        "report-keys": Lazy(
            f"{_ADAPTERS}.cryptography.report_verifier:CryptographyReportVerifier.from_url",
            extra="cryptography",
        ),
    },
    "token_counter": {
        "bpe-openai": Lazy(
            f"{_ADAPTERS}.bpe_openai.token_counter:BpeOpenaiTokenCounter.from_url",
            extra="bpe-openai",
        ),
    },
    "schema_validator": {
        "jsonschema": Lazy(
            f"{_ADAPTERS}.jsonschema.schema_validator:JsonschemaSchemaValidator.from_url",
            extra="jsonschema",
        ),
    },
}

CONTEXT: Mapping[str, tuple[str, ...]] = {
    "store": (),
    "cache": ("clock",),
    "rate_limiter": ("clock",),
    "lock": ("clock",),
    "event_log": ("clock",),
    "broadcast": (),
    "tables": (),
    "telemetry": ("clock", "identifiers"),
    "chat_model": ("api_key", "provider"),
    "embedder": ("api_key", "provider"),
    "secret_source": ("environ",),
    "cipher": (),
    "key_encryption": ("environ",),
    "token_verifier": ("clock", "secret"),
    "report_verifier": (),
    "token_counter": (),
    "schema_validator": (),
    "transcriber": ("api_key",),
}
"""The keywords that the factories of each port are called with, beside the URL."""


def scheme_of(url: str) -> str:
    """Return the part of *url* before ``://``, or nothing if it has none."""
    scheme, separator, _ = url.partition("://")
    return scheme if separator else ""


def is_built_in(port: str, url: str) -> bool:
    """Whether one of our own adapters of *port* serves *url*."""
    return scheme_of(url) in BUILT_IN[port]


def third_party(port: str) -> Mapping[str, Callable[[], Callable[..., Any]]]:
    """Return the installed third-party schemes of *port*, each with what loads its factory."""
    prefix = f"{port}."
    return {
        point.name.removeprefix(prefix): point.load
        for point in entry_points(group=GROUP)
        if point.name.startswith(prefix)
    }


def fault_of(port: str, url: object) -> str | None:
    """Say what is wrong with the scheme of *url*, or None if an adapter serves it."""
    if not isinstance(url, str) or not scheme_of(url):
        return f"{port}: an adapter is named by a URL, such as {next(iter(BUILT_IN[port]))}://"
    if is_built_in(port, url) or scheme_of(url) in third_party(port):
        return None
    known = ", ".join(sorted({*BUILT_IN[port], *third_party(port)}))
    return f"{port}: no adapter is called {scheme_of(url)}; there are {known}"


def make_adapter(port: str, url: str, **context: object) -> Any:
    """Make the adapter of *port* that *url* names.

    Raises:
        ConfigurationError: no adapter has the scheme, its package is missing or broken, or *url*
            is wrong.
    """
    fault = fault_of(port, url)
    if fault is not None:
        raise ConfigurationError(fault)
    scheme = scheme_of(url)
    lazy = BUILT_IN[port].get(scheme)
    try:
        factory = lazy or third_party(port)[scheme]()
    except (ImportError, AttributeError) as error:
        raise ConfigurationError(
            f"{port}: the adapter that is installed for {scheme}:// cannot be imported; reinstall "
            "its package",
            code="adapter_broken",
        ) from error
    return factory(url, **context)
