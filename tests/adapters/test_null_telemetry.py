"""The null telemetry keeps the contract and nothing else."""

import pytest

from tollkeeper.adapters.memory.clock import MemoryClock
from tollkeeper.adapters.memory.identifiers import MemoryIdentifiers
from tollkeeper.adapters.null.telemetry import NullTelemetry
from tollkeeper.contracts.telemetry import TelemetryContract
from tollkeeper.domain.errors import ConfigurationError


def made_of(url: str) -> NullTelemetry:
    return NullTelemetry.from_url(url, clock=MemoryClock(), identifiers=MemoryIdentifiers())


class TestNullTelemetry(TelemetryContract):
    @pytest.fixture
    def telemetry(self) -> NullTelemetry:
        return made_of("null://")


@pytest.mark.parametrize("url", ["null://here", "null:///x", "jsonl://"])
def test_urls_that_say_more_are_refused(url: str) -> None:
    with pytest.raises(ConfigurationError, match="null://"):
        made_of(url)
