"""Whether a document is what a JSON Schema asks for."""

from collections.abc import Mapping
from typing import Any, Protocol, runtime_checkable


@runtime_checkable
class SchemaValidator(Protocol):
    """Checks documents against JSON Schemas (draft 2020-12, unless ``$schema`` says otherwise).

    Nothing is fetched: a schema refers to itself alone.
    """

    def check(self, schema: Mapping[str, Any]) -> None:
        """Check that *schema* is a JSON Schema.

        Raises:
            InvalidRequest: it is none, or refers to another document (code ``invalid_schema``).
        """

    def fault(self, document: object, schema: Mapping[str, Any]) -> str | None:
        """Say where *document* breaks *schema*, or None: it does not.

        The text names the place and the rule, and nothing of the document.
        """
