"""The ports of one facade: for each the adapter that its URL names, imported when first used."""

import os
from collections.abc import Collection, Mapping
from typing import Any

from dependency_injector import containers, providers

from tollkeeper.application.providers import Providers
from tollkeeper.infra import making
from tollkeeper.infra.lazy import Lazy
from tollkeeper.infra.registry import BUILT_IN, is_built_in, make_adapter, scheme_of
from tollkeeper.infra.settings import Settings
from tollkeeper.ports.chat_model import ChatModel
from tollkeeper.ports.embedder import Embedder
from tollkeeper.ports.transcriber import Transcriber


def _choice(port: str, url: str) -> str:
    return scheme_of(url) if is_built_in(port, url) else "third_party"


def _select(port: str, url: Any, **context: Any) -> Any:
    """One port: our adapters by scheme, and whatever is installed for the other schemes."""
    choices = {
        scheme: providers.ThreadSafeSingleton(lazy, url, **context)
        for scheme, lazy in BUILT_IN[port].items()
    }
    choices["third_party"] = providers.ThreadSafeSingleton(make_adapter, port, url, **context)
    return providers.Selector(providers.Callable(_choice, port, url), **choices)


class Ports(containers.DeclarativeContainer):
    """The adapters of one facade, of its settings or lent by its host."""

    settings = providers.Dependency(instance_of=Settings)
    lent = providers.Object(())
    lent_names: providers.Provider[Collection[str]] = providers.Object(())
    lent_chat_models: providers.Provider[Mapping[str, ChatModel]] = providers.Object({})
    lent_embedders: providers.Provider[Mapping[str, Embedder]] = providers.Object({})
    lent_transcribers: providers.Provider[Mapping[str, Transcriber]] = providers.Object({})

    clock = providers.ThreadSafeSingleton(Lazy("tollkeeper.adapters.system.clock:SystemClock"))
    identifiers = providers.ThreadSafeSingleton(
        Lazy("tollkeeper.adapters.system.identifiers:SystemIdentifiers")
    )
    store = _select("store", settings.provided.store)
    key_store = store.provided.key_store
    ledger = store.provided.ledger
    usage_log = store.provided.usage_log
    plan_store = store.provided.plan_store
    audit_log = store.provided.audit_log
    attempt_log = store.provided.attempt_log
    outbox = store.provided.outbox
    quota_counter = store.provided.quota_counter
    data_key_store = store.provided.data_key_store
    credential_store = store.provided.credential_store
    cache = _select("cache", settings.provided.cache, clock=clock)
    rate_limiter = _select("rate_limiter", settings.provided.rate_limiter, clock=clock)
    lock = _select("lock", settings.provided.lock, clock=clock)
    event_log = _select("event_log", settings.provided.event_log, clock=clock)
    broadcast = _select("broadcast", settings.provided.broadcast)
    tables = providers.ThreadSafeSingleton(making.optional, "tables", settings.provided.tables)
    telemetry = _select(
        "telemetry", settings.provided.telemetry, clock=clock, identifiers=identifiers
    )
    chat_models: providers.Provider[Providers[ChatModel]] = providers.ThreadSafeSingleton(
        making.by_provider, "chat_model", settings, lent_chat_models
    )
    embedders: providers.Provider[Providers[Embedder]] = providers.ThreadSafeSingleton(
        making.by_provider, "embedder", settings, lent_embedders
    )
    transcribers: providers.Provider[Providers[Transcriber]] = providers.ThreadSafeSingleton(
        making.by_provider, "transcriber", settings, lent_transcribers
    )
    secret_source = providers.ThreadSafeSingleton(
        making.optional,
        "secret_source",
        settings.provided.secret_source,
        environ=providers.Object(os.environ),
    )
    token_counter = providers.ThreadSafeSingleton(
        making.optional, "token_counter", settings.provided.token_counter
    )
    schema_validator = _select("schema_validator", settings.provided.schema_validator)
    cipher = _select("cipher", settings.provided.cipher)
    key_encryption = providers.ThreadSafeSingleton(
        making.optional,
        "key_encryption",
        settings.provided.key_encryption,
        environ=providers.Object(os.environ),
    )
    token_verifier = providers.ThreadSafeSingleton(
        making.optional,
        "token_verifier",
        settings.provided.token_verifier,
        clock=clock,
        secret=settings.provided.token_secret,
    )
    report_verifier = providers.ThreadSafeSingleton(
        making.optional, "report_verifier", settings.provided.report_verifier
    )
