"""The schema validator of tests."""

import pytest

from tollkeeper.adapters.memory.schema_validator import MemorySchemaValidator
from tollkeeper.contracts.schema_validator import SchemaValidatorContract


class TestMemorySchemaValidator(SchemaValidatorContract):
    @pytest.fixture
    def schema_validator(self) -> MemorySchemaValidator:
        return MemorySchemaValidator()
