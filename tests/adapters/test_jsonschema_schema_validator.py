"""Documents checked by the jsonschema package."""

import pytest

from tollkeeper.adapters.jsonschema.schema_validator import JsonschemaSchemaValidator
from tollkeeper.contracts.schema_validator import SchemaValidatorContract
from tollkeeper.domain.errors import ConfigurationError


class TestJsonschemaSchemaValidator(SchemaValidatorContract):
    @pytest.fixture
    def schema_validator(self) -> JsonschemaSchemaValidator:
        return JsonschemaSchemaValidator.from_url("jsonschema://")


def test_the_url_takes_nothing_more() -> None:
    with pytest.raises(ConfigurationError, match="jsonschema://"):
        JsonschemaSchemaValidator.from_url("jsonschema://?draft=7")


def test_older_drafts_are_known_by_their_schema() -> None:
    validator = JsonschemaSchemaValidator()
    tuples = {"type": "array", "items": [{"type": "string"}], "additionalItems": False}
    draft_7 = {"$schema": "http://json-schema.org/draft-07/schema#", **tuples}
    validator.check(draft_7)
    assert validator.fault(["a", "b"], draft_7)
    assert validator.fault(["a"], draft_7) is None


def test_a_reference_to_nothing_is_a_fault_and_no_crash() -> None:
    schema = {"type": "object", "properties": {"a": {"$ref": "#/$defs/none"}}}
    fault = JsonschemaSchemaValidator().fault({"a": 1}, schema)
    assert fault == "the schema refers to a part that it does not have"
