"""What every schema validator does."""

import copy
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import pytest

from tollkeeper.contracts.contract import Contract
from tollkeeper.domain.errors import InvalidRequest
from tollkeeper.ports.schema_validator import SchemaValidator

PLACE: Mapping[str, Any] = {
    "type": "object",
    "properties": {
        "city": {"type": "string"},
        "floors": {"type": "array", "items": {"type": "integer"}},
        "size": {"type": "string", "enum": ["small", "large"]},
    },
    "required": ["city"],
}
SOUND = [
    {"city": "Zürich"},
    {"city": "", "floors": []},
    {"city": "Paris", "floors": [1, 2], "size": "large", "more": None},
]
BROKEN = [
    {},
    {"city": 5},
    {"city": "Paris", "floors": [1, "two"]},
    {"city": "Paris", "floors": [True]},
    {"city": "Paris", "size": "middling"},
    [],
    None,
    "Paris",
]


class SchemaValidatorContract(Contract):
    """Needs ``schema_validator``."""

    @pytest.mark.parametrize("document", SOUND, ids=repr)
    def test_a_document_that_fits_has_no_fault(
        self, schema_validator: SchemaValidator, document: object
    ) -> None:
        assert schema_validator.fault(document, PLACE) is None

    @pytest.mark.parametrize("document", BROKEN, ids=repr)
    def test_a_document_that_does_not_fit_has_one(
        self, schema_validator: SchemaValidator, document: object
    ) -> None:
        assert schema_validator.fault(document, PLACE)

    def test_a_fault_names_the_place_and_nothing_of_the_document(
        self, schema_validator: SchemaValidator
    ) -> None:
        fault = schema_validator.fault({"city": "Paris", "size": "a-private-word"}, PLACE)
        assert fault is not None
        assert "size" in fault
        assert "a-private-word" not in fault

    @pytest.mark.parametrize(
        "schema",
        [{"type": "nonsense"}, {"type": "object", "properties": {"a": {"type": 5}}}],
        ids=repr,
    )
    def test_what_is_no_schema_is_refused(
        self, schema_validator: SchemaValidator, schema: Mapping[str, Any]
    ) -> None:
        with pytest.raises(InvalidRequest) as refused:
            schema_validator.check(schema)
        assert refused.value.code == "invalid_schema"

    def test_a_schema_that_refers_elsewhere_is_refused_and_nothing_is_fetched(
        self, schema_validator: SchemaValidator
    ) -> None:
        with pytest.raises(InvalidRequest) as refused:
            schema_validator.check({"$ref": "http://127.0.0.1:9/schema.json"})
        assert refused.value.code == "invalid_schema"

    def test_a_schema_may_refer_to_itself(self, schema_validator: SchemaValidator) -> None:
        schema = {
            "type": "object",
            "properties": {"next": {"$ref": "#"}, "name": {"$ref": "#/$defs/name"}},
            "$defs": {"name": {"type": "string"}},
        }
        schema_validator.check(schema)
        assert schema_validator.fault({"next": {"next": {"name": "x"}}}, schema) is None
        assert schema_validator.fault({"next": {"next": {"name": 5}}}, schema)

    def test_any_mapping_is_a_schema_and_is_left_as_it_was(
        self, schema_validator: SchemaValidator
    ) -> None:
        schema = MappingProxyType(dict(PLACE))
        before = copy.deepcopy(dict(schema))
        schema_validator.check(schema)
        assert schema_validator.fault({"city": "Bern"}, schema) is None
        assert dict(schema) == before
