"""The composition root: which adapter stands behind which port, for one set of settings.

Only this module imports dependency-injector. Each port is a Selector over singletons that import
their adapter when they are first used. Connections are the one asynchronous Resource, and nothing
depends on it: else every use case would become awaitable.
"""

import os
from collections.abc import Mapping
from typing import Any

from dependency_injector import containers, providers

from tollkeeper.application.admission import Admissions
from tollkeeper.application.answers import Answers
from tollkeeper.application.asking import Asking
from tollkeeper.application.authenticate_key import AuthenticateKey
from tollkeeper.application.bind_credential import BindCredential
from tollkeeper.application.broadcasts import Broadcasts
from tollkeeper.application.cached_values import CachedValues
from tollkeeper.application.charge_usage import ChargeUsage
from tollkeeper.application.chat_calls import ChatCalls
from tollkeeper.application.check_health import CheckHealth
from tollkeeper.application.complete import Complete
from tollkeeper.application.embed import Embed
from tollkeeper.application.event_logs import EventLogs
from tollkeeper.application.expire_holds import ExpireHolds
from tollkeeper.application.grant_credit import GrantCredit
from tollkeeper.application.issue_key import IssueKey
from tollkeeper.application.key_changes import KeyChanges
from tollkeeper.application.key_minting import KeyMint
from tollkeeper.application.list_attempts import ListAttempts
from tollkeeper.application.list_audit import ListAudit
from tollkeeper.application.list_entries import ListEntries
from tollkeeper.application.list_keys import ListKeys
from tollkeeper.application.locks import Locks
from tollkeeper.application.manage_plans import DefinePlan, SubscribeAccount
from tollkeeper.application.metered_calls import MeteredCalls
from tollkeeper.application.outbox_messages import OutboxMessages
from tollkeeper.application.places import Places
from tollkeeper.application.providers import Providers
from tollkeeper.application.report_usage import ReportUsage
from tollkeeper.application.response_cache import ResponseCache
from tollkeeper.application.revoke_key import RevokeKey
from tollkeeper.application.rotate_key import RotateKey
from tollkeeper.application.routes import Routing
from tollkeeper.application.run_tools import RunTools
from tollkeeper.application.stream_completion import StreamCompletion
from tollkeeper.application.transcribe import Transcribe
from tollkeeper.infra import making
from tollkeeper.infra.catalogue import load_catalogue
from tollkeeper.infra.lazy import Lazy
from tollkeeper.infra.peppers import check_lent_keys, peppers_of
from tollkeeper.infra.price_book import load_price_book
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


class Container(containers.DeclarativeContainer):
    """Everything one facade is made of."""

    settings = providers.Dependency(instance_of=Settings)
    lent = providers.Object(())
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
    cached_values = providers.ThreadSafeSingleton(CachedValues, cache, clock)
    connections = providers.Resource(
        making.connect,
        providers.List(
            *(store, cache, rate_limiter, lock, event_log, broadcast, tables, telemetry),
            *(secret_source, token_counter, schema_validator),
            cached_values,
        ),
        providers.List(chat_models, embedders, transcribers),
        lent,
    )

    price_book = providers.ThreadSafeSingleton(
        load_price_book, settings.provided.price_book, settings.provided.default_price
    )
    catalogue = providers.ThreadSafeSingleton(load_catalogue, settings.provided.catalogue)
    policy = providers.ThreadSafeSingleton(making.policy, settings)
    mint = providers.ThreadSafeSingleton(
        KeyMint, identifiers, policy.provided.key_prefix, providers.Callable(peppers_of, settings)
    )
    admissions = providers.Factory(Admissions, plan_store, rate_limiter, clock, price_book, policy)
    metered_calls = providers.ThreadSafeSingleton(MeteredCalls, ledger, clock, identifiers, policy)
    answers = providers.Factory(Answers, cache, policy)
    breakers = providers.ThreadSafeSingleton(making.breakers, settings)
    asking = providers.ThreadSafeSingleton(
        Asking,
        clock,
        retries=providers.Callable(making.retries, settings),
        breakers=breakers,
        key_pools=providers.Callable(
            making.key_pools, settings, secret_source, chat_models, embedders
        ),
        places=providers.Factory(Places, settings.provided.concurrency),
        attempt_timeout=settings.provided.attempt_timeout,
    )
    chat_routing = providers.Factory(
        Routing,
        chat_models,
        catalogue,
        settings.provided.fallbacks,
        settings.provided.only_known_models,
    )
    embedding_routing = providers.Factory(
        Routing, embedders, catalogue, only_known=settings.provided.only_known_models
    )
    chat_calls = providers.Factory(
        ChatCalls, chat_routing, admissions, metered_calls, schema_validator, token_counter
    )
    responses = providers.ThreadSafeSingleton(
        ResponseCache, cache, usage_log, ledger, clock, identifiers, policy
    )
    key_changes = providers.Factory(KeyChanges, key_store, clock, identifiers)

    issue_key = providers.Factory(IssueKey, key_store, mint, clock, identifiers)
    authenticate_key = providers.Factory(AuthenticateKey, key_store, mint, clock)
    list_keys = providers.Factory(ListKeys, key_store)
    revoke_key = providers.Factory(RevokeKey, key_changes)
    rotate_key = providers.Factory(RotateKey, key_changes, mint, clock)
    grant_credit = providers.Factory(GrantCredit, ledger, clock, identifiers)
    complete = providers.Factory(Complete, chat_calls, asking, answers, responses, telemetry)
    stream_completion = providers.Factory(
        StreamCompletion, chat_calls, asking, answers, responses, telemetry
    )
    embed = providers.Factory(
        Embed,
        embedding_routing,
        admissions,
        metered_calls,
        asking,
        answers,
        telemetry,
        token_counter,
    )
    run_tools = providers.Factory(RunTools, complete)
    bind_credential = providers.Factory(BindCredential, chat_models, embedders)
    transcribe = providers.Factory(
        Transcribe, transcribers, admissions, metered_calls, answers, telemetry
    )
    charge_usage = providers.Factory(ChargeUsage, admissions, metered_calls)
    report_usage = providers.Factory(ReportUsage, usage_log, ledger, policy)
    list_entries = providers.Factory(ListEntries, ledger, policy)
    list_attempts = providers.Factory(ListAttempts, attempt_log)
    list_audit = providers.Factory(ListAudit, audit_log)
    expire_holds = providers.Factory(ExpireHolds, ledger, clock)
    locks = providers.Factory(Locks, lock)
    events = providers.Factory(EventLogs, event_log)
    outbox_messages = providers.Factory(OutboxMessages, outbox, clock, identifiers)
    broadcasts = providers.Factory(Broadcasts, broadcast)
    host_tables = providers.Factory(making.tables_or_remedy, tables)
    check_health = providers.Factory(
        CheckHealth,
        providers.Dict(
            store=store,
            cache=cache,
            rate_limiter=rate_limiter,
            lock=lock,
            event_log=event_log,
            broadcast=broadcast,
            tables=tables,
            telemetry=telemetry,
            secret_source=secret_source,
        ),
        clock,
    )
    define_plan = providers.Factory(DefinePlan, plan_store, clock, identifiers)
    subscribe_account = providers.Factory(SubscribeAccount, plan_store, clock, identifiers)


_OF_THE_STORE = {
    "key_store",
    "ledger",
    "usage_log",
    "plan_store",
    "audit_log",
    "attempt_log",
    "outbox",
}
_BY_PROVIDER = {"chat_models", "embedders", "transcribers"}


def wire(settings: Settings, lent: Mapping[str, Any]) -> Container:
    """Make the container of *settings*, with what the host lent in the place of its own.

    Raises:
        ConfigurationError: the keys are lent, but the pepper they are checked with is not set.
    """
    if lent.keys() & {"store", "key_store"}:
        check_lent_keys(settings)
    overrides: dict[str, Any] = {}
    owners: list[object] = []
    for name, adapter in lent.items():
        if name in _BY_PROVIDER:
            owners.extend(adapter.values())
            overrides[f"lent_{name}"] = providers.Object(dict(adapter))
        else:
            owners.append(adapter)
            overrides[name] = providers.Object(adapter)
    if set(lent) >= _OF_THE_STORE:
        # Nothing of the store of the settings is used, so it must not be opened either.
        overrides.setdefault("store", providers.Object(None))
    return Container(settings=settings, lent=providers.Object(tuple(owners)), **overrides)
