"""What is special about a model or a provider's dialect, and how a request is made to fit it.

Quirks are data: the catalogue declares them for models, the adapters for dialects.
:func:`adapt` applies them, and never changes the request that it is given.
"""

from collections.abc import Iterable, Iterator, Mapping, Set
from typing import TYPE_CHECKING, Any, Literal

from attrs import evolve, field, fields_dict, frozen

from tollkeeper.domain.errors import ConfigurationError, Unsupported
from tollkeeper.domain.read_only import made_anew, read_only
from tollkeeper.domain.tools import JsonSchema

if TYPE_CHECKING:
    from tollkeeper.domain.chat import ChatRequest

OnUnsupported = Literal["refuse", "drop"]

NEVER_DROPPED: frozenset[str] = frozenset(
    {"tools", "tool_choice", "json", "json_schema", "images", "audio", "files", "system"}
)
"""What an answer without would be an answer to another question."""
PARAMETERS: frozenset[str] = NEVER_DROPPED | {
    "temperature",
    "top_p",
    "stop",
    "seed",
    "frequency_penalty",
    "presence_penalty",
    "parallel_tool_calls",
    "strict_tools",
    "reasoning_effort",
    "reasoning_budget",
    "top_logprobs",
    "service_tier",
    "user",
    "metadata",
}


def _names(names: Iterable[str]) -> frozenset[str]:
    found = frozenset(names)
    unknown = sorted(found - PARAMETERS)
    if unknown:
        known = ", ".join(sorted(PARAMETERS))
        raise ConfigurationError(f"no parameter is called {', '.join(unknown)}; there are {known}")
    return found


def _words(words: Iterable[str]) -> tuple[str, ...]:
    return tuple(words)


def _numbers(table: Mapping[str, float]) -> Mapping[str, float]:
    return read_only(table)


def _texts(table: Mapping[str, str]) -> Mapping[str, str]:
    return read_only(table)


def _values(table: Mapping[str, Any]) -> Mapping[str, Any]:
    return read_only(table)


@frozen
class Quirks:
    """What a model or dialect does not take, or takes in a way of its own.

    *unsupported* names the parameters that are refused. A parameter in *fixed* may have that one
    value, and is not sent. *efforts* are the reasoning efforts that there are (all, if empty).
    *max_tokens_field* is the wire's name of the bound, *headers* go out with each request, and
    *extra* stands beneath the request's own ``extra``.
    """

    unsupported: frozenset[str] = field(default=frozenset(), converter=_names)
    fixed: Mapping[str, float] = field(factory=dict, converter=_numbers)
    efforts: tuple[str, ...] = field(default=(), converter=_words)
    max_tokens_field: str = ""
    headers: Mapping[str, str] = field(factory=dict, converter=_texts)
    extra: Mapping[str, Any] = field(factory=dict, converter=_values)
    concerned: frozenset[str] = field(init=False, repr=False, eq=False)
    """The parameters that are not taken as they come."""

    @concerned.default
    def _concerned(self) -> frozenset[str]:
        efforts = ("reasoning_effort",) if self.efforts else ()
        return self.unsupported.union(self.fixed, efforts)

    __reduce__ = made_anew


NO_QUIRKS = Quirks()


def _asked(request: "ChatRequest", concerned: Set[str]) -> Iterator[str]:
    """Name the parameters that *request* sets, as far as they are *concerned* by a quirk."""
    for name in concerned & _FIELDS:
        if getattr(request, name) not in (None, (), {}):
            yield name
    if request.tool_choice != "auto":
        yield "tool_choice"
    if request.tools:
        yield "tools"
        if any(tool.strict for tool in request.tools):
            yield "strict_tools"
    if isinstance(request.response_format, JsonSchema):
        yield "json_schema"
    elif request.response_format == "json":
        yield "json"
    yield from request.modalities


_FIELDS: frozenset[str] = frozenset(
    {
        "temperature",
        "top_p",
        "stop",
        "seed",
        "frequency_penalty",
        "presence_penalty",
        "parallel_tool_calls",
        "reasoning_effort",
        "reasoning_budget",
        "top_logprobs",
        "service_tier",
        "user",
        "metadata",
    }
)


def _without(request: "ChatRequest", name: str) -> "ChatRequest":
    if name == "strict_tools":
        return evolve(request, tools=[evolve(tool, strict=False) for tool in request.tools])
    default: Any = {"stop": (), "metadata": {}}.get(name)
    return evolve(request, **{name: default})


def adapt(request: "ChatRequest", *sets: Quirks) -> "tuple[ChatRequest, tuple[str, ...]]":
    """Fit *request* to its model's quirks and to *sets*, the dialect's.

    Returns the request to send, and a warning for each parameter that was dropped. A request
    that fits comes back as it is.

    Raises:
        Unsupported: the model cannot take a parameter, and ``on_unsupported`` is ``refuse`` or
            the parameter changes the question (code ``unsupported_parameter``).
    """
    quirks = [each for each in (request.quirks, *sets) if each is not NO_QUIRKS]
    if not quirks:
        return request, ()
    warnings: list[str] = []
    concerned = {name for each in quirks for name in each.concerned}
    for name in sorted(_asked(request, concerned)):
        value = getattr(request, name, None)
        for each in quirks:
            if name in each.fixed and value == each.fixed[name]:
                request = _without(request, name)
                break
            unfit = name in each.unsupported or name in each.fixed
            if name == "reasoning_effort" and each.efforts and value not in each.efforts:
                unfit = True
            if not unfit:
                continue
            if request.on_unsupported == "refuse" or name in NEVER_DROPPED:
                raise Unsupported(_refusal(request, name, each), code="unsupported_parameter")
            request = _without(request, name)
            warnings.append(f"{name} was dropped: {request.model} does not take it")
            break
    return request, tuple(warnings)


def _refusal(request: "ChatRequest", name: str, quirks: Quirks) -> str:
    said = f"{request.model} does not take {name.replace('_', ' ')}"
    if name == "reasoning_effort" and quirks.efforts:
        return f"{said} {request.reasoning_effort}; it takes {', '.join(quirks.efforts)}"
    if name in quirks.fixed:
        return f"{said} other than {quirks.fixed[name]:g}"
    if name in NEVER_DROPPED:
        return f"{said}: choose another model"
    return f'{said}: leave it out, or set on_unsupported to "drop"'


def merged(*sets: Quirks) -> Quirks:
    """Lay *sets* over one another, the later over the earlier, for what is sent with a request."""
    found = NO_QUIRKS
    for each in sets:
        if each is NO_QUIRKS:
            continue
        found = Quirks(
            unsupported=found.unsupported | each.unsupported,
            fixed={**found.fixed, **each.fixed},
            efforts=each.efforts or found.efforts,
            max_tokens_field=each.max_tokens_field or found.max_tokens_field,
            headers={**found.headers, **each.headers},
            extra={**found.extra, **each.extra},
        )
    return found


QUIRK_FIELDS = tuple(name for name, each in fields_dict(Quirks).items() if each.init)
"""What a catalogue may declare."""
