"""Which adapters a facade is made of, without their URLs: these may hold secrets."""

from collections.abc import Iterator, Mapping

from tollkeeper.infra.facade import Parts
from tollkeeper.infra.registry import scheme_of
from tollkeeper.infra.settings import Settings

LENT = "lent"
_PORTS = (
    "store",
    "cache",
    "rate_limiter",
    "lock",
    "event_log",
    "broadcast",
    "tables",
    "telemetry",
    "secret_source",
    "cipher",
    "key_encryption",
    "token_verifier",
    "report_verifier",
    "token_counter",
    "schema_validator",
)
_BY_PROVIDER = ("chat_models", "embedders", "transcribers")


def parts_of(settings: Settings, lent: Mapping[str, object]) -> Parts:
    """Name the adapters of *settings*, and what was *lent* in the place of some."""
    return Parts(settings.environment, dict(_adapters(settings, lent)))


def _adapters(settings: Settings, lent: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    for port in _PORTS:
        if port in lent:
            yield port, LENT
        elif port == "cipher" and settings.key_encryption is None and "key_encryption" not in lent:
            continue  # it has a default, and encrypts nothing without them
        elif (url := getattr(settings, port)) is not None:
            yield port, scheme_of(url)
    for port in _BY_PROVIDER:
        named = {name: scheme_of(url) for name, url in getattr(settings, port).items()}
        given = lent.get(port)
        if isinstance(given, Mapping):
            named.update(dict.fromkeys(given, LENT))
        yield port, ",".join(f"{name}:{adapter}" for name, adapter in sorted(named.items()))
    # What the host lent of the store's seven ports, the clock and the like.
    for port in lent:
        if port not in (*_PORTS, *_BY_PROVIDER):
            yield port, LENT
