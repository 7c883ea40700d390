"""Examples of what providers answer, written from their public references.

Each file in ``tests/wire/<provider>/`` holds one answer: whole (``body``), streamed (``stream``)
or both, and under ``[expected]`` what any adapter must make of either::

    source = "https://…"         # the page that shows the shape
    status = 200
    content_type = "application/json"   # of the body; a stream is text/event-stream
    body = '''…'''
    stream = '''…'''
    [headers]                    # optional
    [expected]                   # what is not there is empty
    text = "…"
    reasoning = "…"
    signature = "…"              # of the reasoning, which must come back with it
    redacted = "…"               # reasoning that is shown to nobody
    refusal = "…"
    finish_reason = "stop"
    tool_calls = [{ name = "…", arguments = {}, signature = "…" }]
    logprobs = [{ token = "…", logprob = -0.1 }]
    usage = { input = 1, output = 1, cached_input = 0, cache_write = 0, reasoning = 0 }
    error = "Throttled"          # a class of tollkeeper.domain.errors, instead of a finish_reason
    code = "throttled"
    retry_after = 20             # seconds

With an ``error``, ``text`` is what came before it. Without ``usage`` none is reported.
"""

import tomllib
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from attrs import field, frozen
from attrs.validators import ge, in_, matches_re, optional

_FOLDER = Path(__file__).parent
PROVIDERS = tuple(
    sorted(folder.name for folder in _FOLDER.iterdir() if list(folder.glob("*.toml")))
)
_FINISH_REASONS = ("stop", "length", "tool_calls", "content_filter", "refusal", "paused", "other")


@frozen
class ExpectedCall:
    """A call of a tool, its arguments parsed."""

    name: str
    arguments: Mapping[str, Any]
    signature: str = ""


@frozen
class ExpectedLogprob:
    """A token and the logarithm of its probability."""

    token: str
    logprob: float


@frozen
class ExpectedUsage:
    """Tokens in exclusive pools, named as in ``TokenUsage``."""

    input: int = field(default=0, validator=ge(0))
    output: int = field(default=0, validator=ge(0))
    cached_input: int = field(default=0, validator=ge(0))
    cache_write: int = field(default=0, validator=ge(0))
    reasoning: int = field(default=0, validator=ge(0))


@frozen
class Expected:
    """What an adapter must make of the answer."""

    text: str = ""
    reasoning: str = ""
    signature: str = ""
    redacted: str = ""
    refusal: str = ""
    finish_reason: str | None = field(default=None, validator=optional(in_(_FINISH_REASONS)))
    tool_calls: tuple[ExpectedCall, ...] = ()
    logprobs: tuple[ExpectedLogprob, ...] = ()
    usage: ExpectedUsage | None = None
    error: str | None = None
    code: str | None = None
    retry_after: float | None = None

    def __attrs_post_init__(self) -> None:
        if (self.error is None) == (self.finish_reason is None):
            raise ValueError("an answer ends with a finish_reason or with an error")


@frozen
class Example:
    """One answer of one provider."""

    provider: str
    name: str
    source: str = field(validator=matches_re(r"https://\S+"))
    status: int
    content_type: str
    expected: Expected
    body: bytes | None = None
    stream: bytes | None = None
    headers: Mapping[str, str] = field(factory=dict)

    def __attrs_post_init__(self) -> None:
        if self.body is None and self.stream is None:
            raise ValueError("an example has a body, a stream, or both")
        if self.stream is not None and self.status != 200:
            raise ValueError("a stream has status 200")

    @property
    def id(self) -> str:
        """The name for a parametrized test."""
        return f"{self.provider}/{self.name}"


@cache
def examples(provider: str | None = None) -> tuple[Example, ...]:
    """Load the examples of *provider*, or all, in order of their names.

    Raises:
        ValueError, TypeError: a file is not as it should be; a note says which.
    """
    wanted = PROVIDERS if provider is None else (provider,)
    return tuple(example for one in wanted for example in _load_all(one))


def _load_all(provider: str) -> Iterator[Example]:
    for path in sorted((_FOLDER / provider).glob("*.toml")):
        try:
            yield _load(provider, path)
        except (ValueError, TypeError, KeyError) as error:
            error.add_note(f"in {provider}/{path.name}")
            raise


def _load(provider: str, path: Path) -> Example:
    found = tomllib.loads(path.read_text(encoding="utf-8"))
    for name in ("body", "stream"):
        if name in found:
            found[name] = found[name].encode()
    return Example(provider, path.stem, **{**found, "expected": _expected(found["expected"])})


def _expected(found: dict[str, Any]) -> Expected:
    usage = found.pop("usage", None)
    return Expected(
        tool_calls=tuple(ExpectedCall(**call) for call in found.pop("tool_calls", ())),
        logprobs=tuple(ExpectedLogprob(**one) for one in found.pop("logprobs", ())),
        usage=None if usage is None else ExpectedUsage(**usage),
        **found,
    )
