"""Reading the tools that a model may call."""

import json
from typing import Any

from tollkeeper.domain.errors import InvalidRequest
from tollkeeper.domain.tools import Tool
from tollkeeper.infra.cli.reading import checked_encodable, read_text

_FIELDS = {"name", "description", "parameters", "strict"}


def read_tools(name: str) -> tuple[Tool, ...]:
    """Read a JSON list of ``{"name": …, "description": …, "parameters": …}``.

    Items may also be written as the OpenAI API takes them:
    ``{"type": "function", "function": {…}}``.

    Raises:
        InvalidRequest: the file cannot be read, is no JSON, or an item is malformed.
    """
    try:
        items = json.loads(read_text(name, what="the tools"))
    except (ValueError, RecursionError) as error:
        where = f" (line {error.lineno})" if isinstance(error, json.JSONDecodeError) else ""
        raise InvalidRequest(f"the tools: {name} is no JSON{where}") from None
    if not isinstance(items, list) or not items:
        raise InvalidRequest(f"the tools: {name} must hold a list of one tool or more")
    return tuple(_tool(item, number) for number, item in enumerate(items, start=1))


def _tool(item: Any, number: int) -> Tool:
    if isinstance(item, dict) and item.get("type") == "function":
        item = item.get("function")
    if not isinstance(item, dict) or not isinstance(item.get("name"), str):
        raise InvalidRequest(f'tool {number} must be an object with a "name"', code="invalid_tool")
    unknown = ", ".join(sorted(set(item) - _FIELDS))
    if unknown:
        raise InvalidRequest(
            f"tool {number} has fields that no tool has: {unknown}", code="invalid_tool"
        )
    description, strict = item.get("description", ""), item.get("strict", False)
    if not isinstance(description, str) or not isinstance(strict, bool):
        raise InvalidRequest(
            f"tool {number}: description is text, strict is true or false", code="invalid_tool"
        )
    given = {"parameters": item["parameters"]} if "parameters" in item else {}
    return Tool(
        name=item["name"],
        description=checked_encodable(description, what=f"the description of tool {number}"),
        strict=strict,
        **given,
    )
