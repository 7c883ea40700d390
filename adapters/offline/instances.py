"""Simple instances of JSON Schemas, the same for the same schema and prompt. Pure."""

import re
from collections.abc import Mapping
from typing import Any

_MOST_VALUES = 1_000  # a schema that contains itself would have no end
_LONGEST_ARRAY = 100
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?")
_CAPITALISED = re.compile(r"\b[A-ZÀ-ÖØ-Þ][\w'-]*")
_WORD = re.compile(r"[\w'-]+")

Schema = Mapping[str, Any]


def instance_of(schema: Schema, prompt: str) -> Any:
    """Make a value of *schema*, with what it can find in *prompt*.

    Text becomes the last capitalised word, else the last word; a number the last number; of an
    enumeration the value that the prompt names, else the first. Of an object only the required
    properties are filled, or all of them where none is required. Patterns and formats are not
    followed.

    Raises:
        TypeError, ValueError, AttributeError, LookupError: *schema* is no JSON Schema.
    """
    return _Maker(schema, prompt).make(schema)


class _Maker:
    def __init__(self, root: Schema, prompt: str) -> None:
        self._root = root
        self._prompt = prompt
        self._left = _MOST_VALUES

    def make(self, schema: Any, depth: int = 0) -> Any:
        self._left -= 1
        if not isinstance(schema, Mapping) or self._left < 0 or depth > 32:
            return None
        schema = self._resolved(schema)
        if "const" in schema:
            return schema["const"]
        if schema.get("enum"):
            return self._chosen(schema["enum"])
        kind = _kind(schema)
        if kind == "object":
            properties = schema.get("properties") or {}
            names = schema.get("required") or list(properties)
            return {name: self.make(properties.get(name, {}), depth + 1) for name in names}
        if kind == "array":
            count = min(max(1, schema.get("minItems", 1)), _LONGEST_ARRAY)
            item = self.make(schema.get("items", {}), depth + 1)
            return [item] * min(count, schema.get("maxItems", count))
        if kind in ("number", "integer"):
            return self._number(schema, whole=kind == "integer")
        if kind in ("boolean", "null"):
            return True if kind == "boolean" else None
        return self._text(schema)

    def _resolved(self, schema: Schema) -> Schema:
        """Follow references and take the first of alternatives, until there is a plain schema."""
        for _ in range(32):
            if isinstance(schema.get("$ref"), str):
                found: Any = self._root
                for name in filter(None, schema["$ref"].removeprefix("#").split("/")):
                    found = found.get(name, {})
            else:
                several = schema.get("anyOf") or schema.get("oneOf") or schema.get("allOf")
                if not several:
                    break
                found = several[0]
            schema = found
        return schema

    def _chosen(self, values: list[Any]) -> Any:
        said = self._prompt.lower()
        return next((v for v in values if isinstance(v, str) and v.lower() in said), values[0])

    def _number(self, schema: Schema, *, whole: bool) -> int | float:
        found = _NUMBER.findall(self._prompt)
        value = float(found[-1]) if found else float(schema.get("minimum", 1))
        value = max(value, schema.get("minimum", value))
        value = min(value, schema.get("maximum", value))
        return int(value) if whole or value.is_integer() else value

    def _text(self, schema: Schema) -> str:
        words = _CAPITALISED.findall(self._prompt) or _WORD.findall(self._prompt) or ["text"]
        text: str = words[-1].ljust(schema.get("minLength", 0), "x")
        return text[: schema.get("maxLength", len(text))]


def _kind(schema: Schema) -> str:
    kind = schema.get("type", "object" if "properties" in schema else "string")
    if isinstance(kind, list):
        kind = next((name for name in kind if name != "null"), "null")
    return str(kind)
