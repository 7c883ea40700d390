"""The request as it is put to each of the models that may answer."""

from collections.abc import Mapping
from typing import Any

import attrs

from tollkeeper.application.routes import Route
from tollkeeper.domain.catalogue import Capability, ModelCard
from tollkeeper.domain.chat import ChatRequest
from tollkeeper.domain.checks import checked_json_object
from tollkeeper.domain.errors import InvalidRequest, Unsupported
from tollkeeper.domain.meters import Meter
from tollkeeper.domain.plans import Plan
from tollkeeper.domain.quirks import NO_QUIRKS, adapt
from tollkeeper.domain.tools import JsonSchema

_NOT_EXTRA: frozenset[str] = frozenset(
    {
        *("model", "models", "route", "n", "speed", "service_tier", "inference_geo"),
        *("modalities", "audio", "plugins", "web_search_options", "mcp_servers", "tools"),
    }
)
"""What ``extra`` may not set, whoever serves the model: it would cost what nobody has priced."""


def check_extra(extra: Mapping[str, Any]) -> None:
    """Check what goes to the provider untouched.

    Raises:
        InvalidRequest: it is no JSON object.
        Unsupported: it would change what the price rests on (code ``extra_out_of_reach``).
    """
    checked_json_object(extra, field="extra")
    refused = sorted(_NOT_EXTRA & extra.keys())
    if refused:
        raise Unsupported(
            f"extra may not set {', '.join(refused)}: the price rests on it",
            code="extra_out_of_reach",
        )


def needed(request: ChatRequest) -> frozenset[Capability]:
    """Return what a model must be able to do for *request*."""
    found = {Capability(name) for name in request.modalities}
    if request.tools:
        found.add(Capability.TOOLS)
    if isinstance(request.response_format, JsonSchema):
        found.add(Capability.JSON_SCHEMA)
    elif request.response_format == "json":
        found.add(Capability.JSON)
    return frozenset(found)


def never_used(request: ChatRequest, card: ModelCard | None) -> frozenset[Meter]:
    """Return the pools that *request* cannot use: a cache that is marked is written by marks."""
    if card is None or request.extra or not card.can(Capability.PROMPT_CACHE):
        return frozenset()
    if request.prompt_cache is None:
        return _CACHE_WRITES
    return _CACHE_WRITES - {_WRITES[request.prompt_cache.ttl]}


_PRICED_TIERS = frozenset({"auto", "batch", "default", "flex", "on_demand", "standard_only"})
"""The tiers that cost what the price book says, or less."""
_WRITES = {"5m": Meter.CACHE_WRITE_TOKENS, "1h": Meter.CACHE_WRITE_1H_TOKENS}
_CACHE_WRITES = frozenset(_WRITES.values())


def _fitted(request: ChatRequest, card: ModelCard) -> ChatRequest:
    """Lay the prompt cache's policy over what the model can do: it never changes the answer."""
    policy = request.prompt_cache
    if policy is None:
        return request
    if not card.can(Capability.PROMPT_CACHE):
        return attrs.evolve(request, prompt_cache=None)
    least = max(policy.minimum_tokens, card.cache_minimum)
    return attrs.evolve(request, prompt_cache=attrs.evolve(policy, minimum_tokens=least))


def checked_for(
    request: ChatRequest, route: Route[Any], plan: Plan, *, asked: int | None
) -> ChatRequest:
    """Return *request* as the first model and the account's *plan* allow it.

    *asked* is the caller's own ``max_tokens``; a default is lowered, a demand is refused.

    Raises:
        InvalidRequest: it demands more tokens than the plan (code ``max_tokens_over_plan``) or
            the model (``max_tokens_over_model``) allows.
        Unsupported: the model cannot do what is asked.
    """
    most, owner, code = plan.max_output_tokens, f"the plan {plan.name}", "max_tokens_over_plan"
    if request.service_tier is not None and request.service_tier not in _PRICED_TIERS:
        raise Unsupported(
            f"the service tier {request.service_tier} has no price, so it cannot be charged; there "
            f"are {', '.join(sorted(_PRICED_TIERS))}",
            code="service_tier_unpriced",
        )
    card = route.card
    if card is not None:
        card.require(*needed(request))
        if card.max_output is not None and (most is None or card.max_output < most):
            most, owner, code = card.max_output, f"the model {card.id}", "max_tokens_over_model"
    if most is not None and request.max_tokens > most:
        if asked is not None:
            raise InvalidRequest(f"max_tokens is at most {most} in {owner}", code=code)
        request = attrs.evolve(request, max_tokens=most)
    if card is None:
        return request
    request = _fitted(request, card)
    adapt(request)  # what cannot be sent is refused before any money is set aside
    return request


def request_along(request: ChatRequest, route: Route[Any], *, first: Route[Any]) -> ChatRequest:
    """Return *request*, made for the model of *first*, as it is put to the model of *route*.

    Raises:
        Unsupported: that model cannot do what is asked.
    """
    if route.model == first.model:
        return request
    card = route.card
    if card is None:
        return attrs.evolve(request, model=route.name, quirks=NO_QUIRKS)
    card.require(*needed(request))
    most = min(request.max_tokens, card.max_output or request.max_tokens)
    quirks = card.request_quirks
    request = attrs.evolve(request, model=route.name, quirks=quirks, max_tokens=most)
    request = _fitted(request, card)
    adapt(request)
    return request
