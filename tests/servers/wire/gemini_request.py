"""What a request to Gemini's own API asks for, and the documented rules it may break.

Source: https://ai.google.dev/api/generate-content.
"""

from collections.abc import Iterator
from typing import Any

from tests.servers.wire.answer import Json
from tests.servers.wire.chat_request import STRICT
from tests.servers.wire.echo import Asked


def either(body: Json, camel: str) -> Any:
    """Return a field by its name in JSON or in protocol buffers: both are taken."""
    snake = "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in camel)
    return body.get(camel, body.get(snake))


def asked_of(body: Json, model: str) -> Asked:
    """Read *body*."""
    contents = body["contents"]
    config = either(body, "generationConfig") or {}
    last = contents[-1]["parts"]
    mode, names = _choice(body)
    tools = {name: schema for name, schema in _tools(body) if not names or name in names}
    return Asked(
        model=model,
        text=text_of(last),
        words_read=sum(len(text_of(content["parts"]).split()) for content in contents),
        bound=either(config, "maxOutputTokens") or 1_000_000,
        tools=tools,
        tool_choice=mode,
        after_tool=any(either(part, "functionResponse") for part in last),
        schema=_schema(config),
        stops=tuple(either(config, "stopSequences") or ()),
        reasons=bool(either(either(config, "thinkingConfig") or {}, "includeThoughts")),
        signs=True,
    )


def text_of(parts: list[Json]) -> str:
    """Return the texts in *parts*; other parts in brackets."""
    return " ".join(text for text in map(_part, parts) if text)


def _part(part: Json) -> str:
    if "text" in part:
        return str(part["text"])
    if data := either(part, "inlineData"):
        return f"[{('data:' + either(data, 'mimeType') + ';base64,' + data['data'])[:30]}]"
    if file := either(part, "fileData"):
        return f"[{either(file, 'fileUri')[:30]}]"
    if response := either(part, "functionResponse"):
        values = response.get("response") or {}
        return " ".join(map(str, values.values()))
    return ""


def _tools(body: Json) -> Iterator[tuple[str, Json]]:
    for tool in body.get("tools") or ():
        for declared in either(tool, "functionDeclarations") or ():
            yield (
                declared["name"],
                (either(declared, "parametersJsonSchema") or declared.get("parameters") or {}),
            )


def _choice(body: Json) -> tuple[str, list[str]]:
    config = either(either(body, "toolConfig") or {}, "functionCallingConfig") or {}
    modes = {"AUTO": "auto", "ANY": "required", "NONE": "none"}
    return modes[config.get("mode", "AUTO")], either(config, "allowedFunctionNames") or []


def _schema(config: Json) -> Json | None:
    if either(config, "responseMimeType") != "application/json":
        return None
    schema: Json = either(config, "responseJsonSchema") or either(config, "responseSchema") or {}
    return schema


def complaint_of(body: Any, model: str) -> str:
    """Say what is wrong with *body*; empty if nothing is."""
    if not isinstance(body, dict) or not body.get("contents"):
        return "* GenerateContentRequest.contents: contents is not specified"
    for content in body["contents"]:
        if content.get("role", "user") not in ("user", "model", "function"):
            return "Please use a valid role: user, model."
        if not content.get("parts"):
            return "* GenerateContentRequest.contents[0].parts: contents.parts must not be empty."
        calls = [part for part in content["parts"] if either(part, "functionCall")]
        if calls and STRICT in model and not either(calls[0], "thoughtSignature"):
            return "Function call is missing a thought_signature in functionCall parts."
    return ""
