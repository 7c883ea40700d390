"""A schema validator for tests: it knows types, required fields and allowed values, no more."""

from collections.abc import Mapping
from typing import Any

from tollkeeper.domain.errors import InvalidRequest

_TYPES: Mapping[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "number": (int, float),
    "integer": (int,),
    "boolean": (bool,),
    "null": (type(None),),
}


class MemorySchemaValidator:
    """Checks ``type``, ``required``, ``properties``, ``items``, ``enum`` and local ``$ref``."""

    def check(self, schema: Mapping[str, Any]) -> None:
        """Check that *schema* is made of what is known here."""
        kind = schema.get("type", "object")
        reference = schema.get("$ref", "#")
        if not isinstance(kind, str) or kind not in _TYPES:
            raise InvalidRequest("the schema names no known type", code="invalid_schema")
        if not isinstance(reference, str) or not reference.startswith("#"):
            raise InvalidRequest("the schema refers elsewhere", code="invalid_schema")
        items = [schema["items"]] if "items" in schema else []
        for part in (*schema.get("properties", {}).values(), *items):
            self.check(part)

    def fault(self, document: object, schema: Mapping[str, Any]) -> str | None:
        """Say where *document* breaks *schema*."""
        return self._fault(document, schema, schema, "its root")

    def _fault(
        self, found: object, schema: Mapping[str, Any], root: Mapping[str, Any], where: str
    ) -> str | None:
        if "$ref" in schema:
            target: Any = root
            for step in schema["$ref"].removeprefix("#").strip("/").split("/"):
                target = target[step] if step else target
            return self._fault(found, target, root, where)
        kinds = _TYPES[schema["type"]] if "type" in schema else (object,)
        is_bool = isinstance(found, bool) and schema.get("type") in ("number", "integer")
        if not isinstance(found, kinds) or is_bool:
            return f"at {where}: type"
        if "enum" in schema and found not in schema["enum"]:
            return f"at {where}: enum"
        if isinstance(found, dict):
            if any(name not in found for name in schema.get("required", ())):
                return f"at {where}: required"
            for name, part in schema.get("properties", {}).items():
                if name in found:
                    fault = self._fault(found[name], part, root, name)
                    if fault is not None:
                        return fault
        if isinstance(found, list):
            for place, each in enumerate(found):
                fault = self._fault(each, schema.get("items", {}), root, str(place))
                if fault is not None:
                    return fault
        return None
