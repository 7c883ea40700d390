"""What of a request the Messages API takes at all, before anything is written. Pure."""

from collections.abc import Iterator

from attrs import evolve

from tollkeeper.domain.chat import ChatRequest
from tollkeeper.domain.errors import InvalidRequest, Unsupported
from tollkeeper.domain.messages import ReasoningPart
from tollkeeper.domain.quirks import Quirks, adapt

_SMALLEST_BUDGET = 1_024
_TIERS = ("auto", "standard_only")

DIALECT = Quirks(
    unsupported=(
        "audio",
        "json",
        "seed",
        "frequency_penalty",
        "presence_penalty",
        "top_logprobs",
    ),
    efforts=("none", "low", "medium", "high", "xhigh", "max"),
)
"""What the API does not take from any model."""


def fitted(request: ChatRequest) -> tuple[ChatRequest, tuple[str, ...]]:
    """Fit *request* to the API; return it with a warning for each thing that was left out.

    ``metadata`` is understood as far as it names the ``user_id``; it is given back as the user.

    Raises:
        Unsupported: the model or the API does not take a parameter (``unsupported_parameter``).
        InvalidRequest: two parameters contradict each other.
    """
    if request.reasoning_effort == "none" and request.reasoning_budget is not None:
        raise InvalidRequest('reasoning_effort "none" leaves no reasoning_budget: leave one out')
    if request.metadata.keys() == {"user_id"}:
        request = _with_user(request)
    unfit = dict(_unfit(request))
    if unfit and request.on_unsupported == "refuse":
        raise Unsupported(
            f'{"; ".join(unfit.values())}: change it, or set on_unsupported to "drop"',
            code="unsupported_parameter",
        )
    dialect = evolve(DIALECT, unsupported=DIALECT.unsupported | {*unfit}) if unfit else DIALECT
    request, warnings = adapt(request, dialect)
    if any(_is_foreign(part) for message in request.messages for part in message.content):
        warnings += ("reasoning that the provider did not sign was left out",)
    return request, warnings


def _with_user(request: ChatRequest) -> ChatRequest:
    user = request.metadata["user_id"]
    if request.user not in (None, user):
        raise InvalidRequest("user and the user_id in metadata are the same thing: give one")
    return evolve(request, user=user, metadata={})


def _unfit(request: ChatRequest) -> Iterator[tuple[str, str]]:
    """Name the parameters whose values are out of the API's range, and say what it takes."""
    if request.temperature is not None and request.temperature > 1:
        yield "temperature", f"{request.model} takes a temperature of at most 1"
    if request.reasoning_budget is not None and request.reasoning_budget < _SMALLEST_BUDGET:
        yield "reasoning_budget", f"{request.model} takes a reasoning_budget from 1024 tokens on"
    if request.service_tier is not None and request.service_tier not in _TIERS:
        yield "service_tier", f"{request.model} takes the service_tier auto or standard_only"
    if request.metadata:
        yield "metadata", f"{request.model} takes no metadata but a user_id"


def _is_foreign(part: object) -> bool:
    return isinstance(part, ReasoningPart) and not (part.signature or part.redacted)
