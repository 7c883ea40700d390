"""The composition root: which adapter stands behind which port, for one set of settings.

Only this module and its two bases, which stand beside it, import dependency-injector. Each port is
a Selector over singletons that import their adapter when they are first used. Connections are the
one asynchronous Resource, and nothing depends on it: else every use case would become awaitable.
"""

from collections.abc import Mapping
from typing import Any

from dependency_injector import providers

from tollkeeper.application.admission import Admissions
from tollkeeper.application.answers import Answers
from tollkeeper.application.asking import Asking
from tollkeeper.application.broadcasts import Broadcasts
from tollkeeper.application.cached_values import CachedValues
from tollkeeper.application.call_limits import CallLimits
from tollkeeper.application.charge_usage import ChargeUsage
from tollkeeper.application.chat_calls import ChatCalls
from tollkeeper.application.check_health import CheckHealth
from tollkeeper.application.complete import Complete
from tollkeeper.application.embed import Embed
from tollkeeper.application.event_logs import EventLogs
from tollkeeper.application.expire_holds import ExpireHolds
from tollkeeper.application.grant_credit import GrantCredit
from tollkeeper.application.list_attempts import ListAttempts
from tollkeeper.application.list_entries import ListEntries
from tollkeeper.application.locks import Locks
from tollkeeper.application.metered_calls import MeteredCalls
from tollkeeper.application.outbox_messages import OutboxMessages
from tollkeeper.application.places import Places
from tollkeeper.application.report_usage import ReportUsage
from tollkeeper.application.response_cache import ResponseCache
from tollkeeper.application.routes import Routing
from tollkeeper.application.run_tools import RunTools
from tollkeeper.application.stream_completion import StreamCompletion
from tollkeeper.application.transcribe import Transcribe
from tollkeeper.infra import access, making
from tollkeeper.infra.catalogue import load_catalogue
from tollkeeper.infra.container_access import Access
from tollkeeper.infra.peppers import check_lent_keys
from tollkeeper.infra.price_book import load_price_book
from tollkeeper.infra.settings import Settings


class Container(Access):
    """Everything one facade is made of."""

    cached_values = providers.ThreadSafeSingleton(CachedValues, Access.cache, Access.clock)
    connections = providers.Resource(
        making.connect,
        providers.List(
            *(
                Access.store,
                Access.cache,
                Access.rate_limiter,
                Access.lock,
                Access.event_log,
                Access.broadcast,
                Access.tables,
                Access.telemetry,
            ),
            *(Access.secret_source, Access.token_counter, Access.schema_validator),
            *(Access.key_encryption, Access.token_verifier, Access.report_verifier),
            *(cached_values, Access.peppers, Access.key_upkeep, Access.data_key_news),
        ),
        providers.List(Access.chat_models, Access.embedders, Access.transcribers),
        Access.lent,
    )

    price_book = providers.ThreadSafeSingleton(
        load_price_book, Access.settings.provided.price_book, Access.settings.provided.default_price
    )
    catalogue = providers.ThreadSafeSingleton(load_catalogue, Access.settings.provided.catalogue)
    policy = providers.ThreadSafeSingleton(making.policy, Access.settings)
    call_limits = providers.ThreadSafeSingleton(
        CallLimits,
        Access.rate_limiter,
        Access.quota_counter,
        Access.clock,
        Access.settings.provided.limit_processes,
    )
    admissions = providers.Factory(
        Admissions, Access.plan_store, call_limits, Access.clock, price_book, policy
    )
    metered_calls = providers.ThreadSafeSingleton(
        MeteredCalls, Access.ledger, Access.clock, Access.identifiers, policy
    )
    answers = providers.Factory(Answers, Access.cache, policy)
    breakers = providers.ThreadSafeSingleton(making.breakers, Access.settings)
    asking = providers.ThreadSafeSingleton(
        Asking,
        Access.clock,
        retries=providers.Callable(making.retries, Access.settings),
        breakers=breakers,
        key_pools=providers.Callable(
            making.key_pools,
            Access.settings,
            Access.secret_source,
            Access.chat_models,
            Access.embedders,
        ),
        places=providers.Factory(Places, Access.settings.provided.concurrency),
        attempt_timeout=Access.settings.provided.attempt_timeout,
    )
    chat_routing = providers.Factory(
        Routing,
        Access.chat_models,
        catalogue,
        Access.settings.provided.fallbacks,
        Access.settings.provided.only_known_models,
    )
    embedding_routing = providers.Factory(
        Routing, Access.embedders, catalogue, only_known=Access.settings.provided.only_known_models
    )
    chat_calls = providers.Factory(
        ChatCalls,
        chat_routing,
        admissions,
        metered_calls,
        Access.schema_validator,
        Access.token_counter,
    )
    responses = providers.ThreadSafeSingleton(
        ResponseCache,
        Access.cache,
        Access.usage_log,
        Access.ledger,
        Access.clock,
        Access.identifiers,
        policy,
    )
    grant_credit = providers.Factory(GrantCredit, Access.ledger, Access.clock, Access.identifiers)
    complete = providers.Factory(Complete, chat_calls, asking, answers, responses, Access.telemetry)
    stream_completion = providers.Factory(
        StreamCompletion, chat_calls, asking, answers, responses, Access.telemetry
    )
    embed = providers.Factory(
        Embed,
        embedding_routing,
        admissions,
        metered_calls,
        asking,
        answers,
        Access.telemetry,
        Access.token_counter,
    )
    run_tools = providers.Factory(RunTools, complete)
    transcribe = providers.Factory(
        Transcribe, Access.transcribers, admissions, metered_calls, answers, Access.telemetry
    )
    charge_usage = providers.Factory(ChargeUsage, admissions, metered_calls)
    report_usage = providers.Factory(ReportUsage, Access.usage_log, Access.ledger, policy)
    list_entries = providers.Factory(ListEntries, Access.ledger, policy)
    list_attempts = providers.Factory(ListAttempts, Access.attempt_log)
    expire_holds = providers.Factory(ExpireHolds, Access.ledger, Access.clock)
    locks = providers.Factory(Locks, Access.lock)
    events = providers.Factory(EventLogs, Access.event_log)
    outbox_messages = providers.Factory(
        OutboxMessages, Access.outbox, Access.clock, Access.identifiers
    )
    broadcasts = providers.Factory(Broadcasts, Access.broadcast)
    host_tables = providers.Factory(making.tables_or_remedy, Access.tables)
    check_health = providers.Factory(
        CheckHealth,
        providers.Dict(
            store=Access.store,
            cache=Access.cache,
            rate_limiter=Access.rate_limiter,
            lock=Access.lock,
            event_log=Access.event_log,
            broadcast=Access.broadcast,
            tables=Access.tables,
            telemetry=Access.telemetry,
            secret_source=Access.secret_source,
            key_peppers=providers.Callable(access.watched_peppers, Access.peppers),
            key_encryption=Access.key_encryption,
            token_verifier=Access.token_verifier,
            report_verifier=Access.report_verifier,
        ),
        Access.clock,
    )


_OF_THE_STORE = {
    "key_store",
    "ledger",
    "usage_log",
    "plan_store",
    "audit_log",
    "attempt_log",
    "outbox",
    "quota_counter",
    "data_key_store",
    "credential_store",
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
    return Container(
        settings=settings,
        lent=providers.Object(tuple(owners)),
        lent_names=providers.Object(tuple(lent)),
        **overrides,
    )
