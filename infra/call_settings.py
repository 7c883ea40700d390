"""What can be wrong with the settings of retries, fallbacks and limits."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from tollkeeper.application.key_pools import PoolKey
from tollkeeper.application.routes import MOST_ROUTES
from tollkeeper.infra.settings_places import POOLED

if TYPE_CHECKING:
    from tollkeeper.infra.settings import Settings


def call_faults(settings: "Settings", wrong: Mapping[str, str]) -> Iterator[str]:
    """List what is wrong; fields in *wrong* are not even of their type, and are passed over."""
    if "on_unsupported" not in wrong and settings.on_unsupported not in ("refuse", "drop"):
        yield 'on_unsupported is "refuse" or "drop"'
    if "fallbacks" not in wrong:
        for model, names in settings.fallbacks.items():
            if not names or not all(isinstance(name, str) and name for name in names):
                yield f"fallbacks.{model}: list one model or more"
            elif len(names) >= MOST_ROUTES:
                yield f"fallbacks.{model}: {MOST_ROUTES - 1} models at most"
            elif model in names:
                yield f"fallbacks.{model}: a model is no fallback of itself"
    if "concurrency" not in wrong:
        for provider, limit in settings.concurrency.items():
            if type(limit) is not int or limit < 1:
                yield f"concurrency.{provider} is a whole number, 1 or more"
            if not wrong.keys() & set(POOLED) and not any(
                provider in getattr(settings, table) for table in POOLED
            ):
                yield (
                    f"concurrency.{provider}: no provider of that name is in chat_models or "
                    "embedders"
                )
    if "key_pools" not in wrong:
        for provider, keys in settings.key_pools.items():
            if not all(isinstance(key, PoolKey) for key in keys):
                yield f"key_pools.{provider} is a list of PoolKeys"
    if not {"retry_pause", "longest_retry_pause"} & wrong.keys() and (
        settings.retry_pause > settings.longest_retry_pause
    ):
        yield "longest_retry_pause must not be below retry_pause"
    for name in ("attempt_timeout", "hedge_after"):
        if not {name, "call_timeout"} & wrong.keys() and (
            (getattr(settings, name) or settings.call_timeout) > settings.call_timeout
        ):
            yield f"{name} must not exceed call_timeout: the call would be over before"
