"""The memory telemetry keeps the contract of telemetry that can be read back."""

from datetime import UTC, datetime, timedelta

import pytest

from tollkeeper.adapters.memory.clock import MemoryClock
from tollkeeper.adapters.memory.identifiers import MemoryIdentifiers
from tollkeeper.adapters.memory.telemetry import MemoryTelemetry
from tollkeeper.contracts.recorded_telemetry import (
    Recorded,
    RecordedSpan,
    RecordedTelemetryContract,
)
from tollkeeper.domain.errors import ConfigurationError


def made_of(url: str = "memory://") -> MemoryTelemetry:
    return MemoryTelemetry.from_url(url, clock=MemoryClock(), identifiers=MemoryIdentifiers())


def reader_of(telemetry: MemoryTelemetry) -> Recorded:
    async def read() -> list[RecordedSpan]:
        return [
            RecordedSpan(s.name, s.trace_id, s.span_id, s.parent_id, s.attributes, s.error)
            for s in telemetry.spans
        ]

    return read


class TestMemoryTelemetry(RecordedTelemetryContract):
    @pytest.fixture
    def telemetry(self) -> MemoryTelemetry:
        return made_of()

    @pytest.fixture
    def other_telemetry(self) -> MemoryTelemetry:
        return made_of()

    @pytest.fixture
    def recorded(self, telemetry: MemoryTelemetry) -> Recorded:
        return reader_of(telemetry)

    @pytest.fixture
    def other_recorded(self, other_telemetry: MemoryTelemetry) -> Recorded:
        return reader_of(other_telemetry)


def test_start_and_duration_come_from_the_clock() -> None:
    clock = MemoryClock(datetime(2026, 7, 1, tzinfo=UTC))
    telemetry = MemoryTelemetry(clock, MemoryIdentifiers("s"))
    with telemetry.span("work"):
        clock.advance(timedelta(seconds=1, microseconds=5))
    (span,) = telemetry.spans
    assert span.start == datetime(2026, 7, 1, tzinfo=UTC)
    assert span.duration == timedelta(seconds=1, microseconds=5)
    assert (span.trace_id, span.span_id) == ("trace_s_00000001", "span_s_00000002")


def test_the_oldest_spans_make_room() -> None:
    telemetry = MemoryTelemetry(MemoryClock(), MemoryIdentifiers(), most_spans=3)
    for number in range(5):
        with telemetry.span(str(number)):
            pass
    assert [span.name for span in telemetry.spans] == ["2", "3", "4"]


@pytest.mark.parametrize("url", ["memory://here", "memory:///x", "null://"])
def test_urls_that_say_more_are_refused(url: str) -> None:
    with pytest.raises(ConfigurationError, match="memory://"):
        made_of(url)
