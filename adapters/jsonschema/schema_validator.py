"""Documents checked by the jsonschema package."""

from collections.abc import Mapping
from functools import lru_cache
from importlib.metadata import version
from typing import Any, Self

from tollkeeper.domain.errors import ConfigurationError, InvalidRequest


class JsonschemaSchemaValidator:
    """Checks by jsonschema, which is imported when the first schema comes."""

    @classmethod
    def from_url(cls, url: str) -> Self:
        """Make one from ``jsonschema://``.

        Raises:
            ConfigurationError: *url* says anything more.
        """
        if url != "jsonschema://":
            raise ConfigurationError("the schema validator takes no options; write jsonschema://")
        return cls()

    async def health(self) -> str:
        """Say which version of the package it is.

        Raises:
            ConfigurationError: it is missing.
        """
        try:
            import jsonschema  # noqa: F401 - so that one that is broken is found too

            return f"jsonschema {version('jsonschema')}"
        except ImportError as error:
            raise _missing() from error

    def check(self, schema: Mapping[str, Any]) -> None:
        """Check that *schema* is a JSON Schema that refers to itself alone.

        Raises:
            ConfigurationError: the package is missing.
        """
        try:
            from jsonschema.exceptions import SchemaError
        except ImportError as error:
            raise _missing() from error

        plain = _plain(schema)
        outside = _outside_reference(plain)
        if outside is not None:
            raise InvalidRequest(
                f"the schema refers to {outside!r}: put it under $defs", code="invalid_schema"
            )
        try:
            _validator_class(plain).check_schema(plain)
        except SchemaError as error:
            where = "/".join(map(str, error.absolute_path)) or "its root"
            raise InvalidRequest(
                f"the schema is no JSON Schema: at {where}, {error.validator} is broken",
                code="invalid_schema",
            ) from error

    def fault(self, document: object, schema: Mapping[str, Any]) -> str | None:
        """Say where *document* breaks *schema*."""
        from jsonschema.exceptions import best_match
        from referencing.exceptions import Unresolvable

        plain = _plain(schema)
        try:
            error = best_match(_validator_class(plain)(plain).iter_errors(document))
        except Unresolvable:
            return "the schema refers to a part that it does not have"
        if error is None:
            return None
        where = "/".join(map(str, error.absolute_path)) or "its root"
        return f"at {where}: {error.validator}"


def _missing() -> ConfigurationError:
    return ConfigurationError(
        "schema_validator: jsonschema is not installed; run: pip install 'tollkeeper[jsonschema]'",
        code="extra_missing",
    )


def _plain(value: Any) -> Any:
    """Return *value* with plain dicts and lists in the place of other mappings and tuples."""
    if isinstance(value, Mapping):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return value


def _outside_reference(schema: Any) -> str | None:
    if isinstance(schema, dict):
        for key, value in schema.items():
            if key in ("$ref", "$dynamicRef") and isinstance(value, str) and value[:1] != "#":
                return value
            found = _outside_reference(value)
            if found is not None:
                return found
    elif isinstance(schema, list):
        for each in schema:
            found = _outside_reference(each)
            if found is not None:
                return found
    return None


def _validator_class(schema: dict[str, Any]) -> Any:
    return _class_for(str(schema.get("$schema", "")))


@lru_cache(maxsize=8)
def _class_for(dialect: str) -> Any:
    from jsonschema import Draft202012Validator
    from jsonschema.validators import validator_for

    return validator_for({"$schema": dialect} if dialect else {}, default=Draft202012Validator)
