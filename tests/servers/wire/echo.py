"""A small model without a mind: it says the last text again and calls the tools that it names."""

import json
from collections.abc import Mapping
from typing import Any

from attrs import field, frozen

from tests.servers.wire.answer import Answer, Call, Finish, Json, Pools

PLACE = "Zürich 🚠"
THOUGHTS = ("The caller ", "wants an echo ", "🤔.")


@frozen
class Asked:
    """What a request asks for, apart from how its format writes it."""

    model: str = ""
    text: str = ""
    """The last message: texts as they are, other parts in brackets."""
    words_read: int = 2
    bound: int = 1_000_000
    """How many tokens, here words, may be written."""
    tools: Mapping[str, Json] = field(factory=dict)
    """The schemas of the tools by name."""
    tool_choice: str = "auto"
    """``auto``, ``none``, ``required``, or a tool's name."""
    parallel: bool = True
    after_tool: bool = False
    """The last message is the result of a tool."""
    schema: Json | None = None
    """What the answer must look like; empty for any JSON, None for text."""
    stops: tuple[str, ...] = ()
    reasons: bool = False
    signs: bool = False
    """Reasoning and calls bear a signature that must come back."""
    logprobs: bool = False


def echo(asked: Asked) -> Answer:
    """Answer as asked, the same each time."""
    thoughts = THOUGHTS if asked.reasons else ()
    thinking = Answer(
        reasoning=thoughts,
        signature="c2lnbmVk" if thoughts else "",
        usage=_usage(asked, written=min(5, asked.bound), thoughts=len(thoughts)),
    )
    calls = _due_calls(asked)
    if calls:
        return _with(thinking, calls=calls, finish="tool_calls")
    text, stopped_at = _until_stop(_text(asked), asked.stops)
    words = pieces_of(text)
    said = words[: asked.bound]
    cut: Finish = "stop" if len(said) == len(words) else "length"
    return _with(
        thinking,
        text=said,
        finish=cut,
        stopped_at=stopped_at if cut == "stop" else "",
        usage=_usage(asked, written=len(said), thoughts=len(thoughts)),
        logprobs=tuple((word, -0.25) for word in said) if asked.logprobs else None,
    )


def pieces_of(text: str) -> tuple[str, ...]:
    """Split *text* before each space, so that the pieces add up to it."""
    words = text.split(" ")
    return tuple(word if place == 0 else f" {word}" for place, word in enumerate(words))


def filled(schema: Json, text: str) -> Any:
    """Make a value that *schema* allows; strings say *text*."""
    for several in ("anyOf", "oneOf", "allOf"):
        if schema.get(several):
            return filled(schema[several][0], text)
    if "const" in schema:
        return schema["const"]
    if schema.get("enum"):
        return schema["enum"][0]
    kind = schema.get("type", "object" if "properties" in schema else "string")
    if isinstance(kind, list):
        kind = next((one for one in kind if one != "null"), "null")
    kind = str(kind).lower()  # Gemini's own schemas shout
    if kind == "object":
        return {name: filled(part, text) for name, part in schema.get("properties", {}).items()}
    if kind == "array":
        return [filled(schema.get("items", {}), text)]
    plain: dict[str, Any] = {"integer": 1, "number": 1.5, "boolean": True, "null": None}
    return plain.get(kind, text)


def _with(answer: Answer, **more: Any) -> Answer:
    known = {name: getattr(answer, name) for name in ("reasoning", "signature", "usage")}
    return Answer(**{**known, **more})


def _usage(asked: Asked, *, written: int, thoughts: int) -> Pools:
    read = max(asked.words_read, 2)
    return Pools(input=read - 1, cached_input=1, output=written, reasoning=thoughts)


def _text(asked: Asked) -> str:
    text = asked.text or "(nothing)"
    if asked.schema is None:
        return text
    value = filled(asked.schema, text) if asked.schema else {"answer": text}
    return json.dumps(value, ensure_ascii=False)


def _until_stop(text: str, stops: tuple[str, ...]) -> tuple[str, str]:
    found = [(text.index(stop), stop) for stop in stops if stop and stop in text]
    if not found:
        return text, ""
    place, stop = min(found)
    return text[:place], stop


def _due_calls(asked: Asked) -> tuple[Call, ...]:
    named = [name for name in asked.tools if name in asked.text]
    if asked.after_tool or asked.tool_choice == "none":
        return ()
    if asked.tool_choice == "required":
        named = named or list(asked.tools)[:1]
    elif asked.tool_choice != "auto":
        named = [name for name in asked.tools if name == asked.tool_choice]
    if not asked.parallel:
        named = named[:1]
    return tuple(
        Call(
            id=f"call_{number}",
            name=name,
            arguments=_fragments(asked.tools[name]),
            # The first of several calls bears the signature for all.
            signature="Z2VzaWduZWQ=" if asked.signs and number == 0 else "",
        )
        for number, name in enumerate(named)
    )


def _fragments(schema: Json) -> tuple[str, ...]:
    value = filled(schema, PLACE)
    arguments = json.dumps(value if isinstance(value, dict) else {}, ensure_ascii=False)
    return pieces_of(arguments)
