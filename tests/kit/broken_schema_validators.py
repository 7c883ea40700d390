"""Schema validators with one fault each."""

from collections.abc import Mapping
from typing import Any

from tollkeeper.adapters.memory.schema_validator import MemorySchemaValidator


class FindsNothing(MemorySchemaValidator):
    """Takes every document."""

    def fault(self, document: object, schema: Mapping[str, Any]) -> str | None:
        return None


class FindsAlways(MemorySchemaValidator):
    """Takes no document."""

    def fault(self, document: object, schema: Mapping[str, Any]) -> str | None:
        return "at its root: type"


class TellsTheDocument(MemorySchemaValidator):
    """Repeats what it found."""

    def fault(self, document: object, schema: Mapping[str, Any]) -> str | None:
        found = super().fault(document, schema)
        return found and f"{found} in {document}"


class TakesAnySchema(MemorySchemaValidator):
    """Checks no schema."""

    def check(self, schema: Mapping[str, Any]) -> None:
        return None


class ChangesTheSchema(MemorySchemaValidator):
    """Adds to the schema what it would have liked to see."""

    def check(self, schema: Mapping[str, Any]) -> None:
        super().check(schema)
        schema.setdefault("title", "checked")  # type: ignore[attr-defined]
