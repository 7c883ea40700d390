"""The tools that a model may call, and the form its answer must have."""

import re
from collections.abc import Mapping
from typing import Any, Literal

from attrs import field, frozen

from tollkeeper.domain.checks import checked_json_object, checked_unicode
from tollkeeper.domain.errors import InvalidRequest

_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")


@frozen
class Tool:
    """A function that the model may call; *parameters* is a JSON Schema of an object."""

    name: str
    description: str = ""
    parameters: Mapping[str, Any] = field(factory=lambda: {"type": "object", "properties": {}})
    strict: bool = False

    def __attrs_post_init__(self) -> None:
        if not isinstance(self.name, str) or not _NAME.fullmatch(self.name):
            raise InvalidRequest(
                "a tool's name is 1-64 letters, digits, _ and -", code="invalid_tool"
            )
        checked_unicode(self.description, field="a tool's description", code="invalid_tool")
        where = f"parameters of {self.name}"
        checked_json_object(self.parameters, field=where, code="invalid_tool")
        if self.parameters.get("type") != "object":
            raise InvalidRequest(
                f'{where}: a JSON Schema with "type": "object"', code="invalid_tool"
            )


ToolChoice = Literal["auto", "none", "required"]


@frozen
class JsonSchema:
    """Ask for an answer that is JSON of this *schema*."""

    name: str
    schema: Mapping[str, Any]
    strict: bool = True

    def __attrs_post_init__(self) -> None:
        if not isinstance(self.name, str) or not _NAME.fullmatch(self.name):
            raise InvalidRequest("a schema's name is 1-64 letters, digits, _ and -")
        checked_json_object(self.schema, field=f"the schema {self.name}")


ResponseFormat = Literal["text", "json"] | JsonSchema
