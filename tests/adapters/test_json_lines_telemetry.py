"""The JSON-lines telemetry keeps its contract; its file is sound whatever happens to it."""

import asyncio
import os
import stat
import threading
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.adapters.json_lines_files import lines_of, made_in
from tollkeeper.adapters.json_lines.telemetry import JsonLinesTelemetry
from tollkeeper.adapters.memory.clock import MemoryClock
from tollkeeper.adapters.memory.identifiers import MemoryIdentifiers
from tollkeeper.contracts.recorded_telemetry import (
    Recorded,
    RecordedSpan,
    RecordedTelemetryContract,
)
from tollkeeper.contracts.telemetry import ODD_VALUES
from tollkeeper.domain.errors import ConfigurationError


def reader_of(path: Path) -> Recorded:
    async def read() -> list[RecordedSpan]:
        return [
            RecordedSpan(
                name=line["name"],
                trace_id=line["trace_id"],
                span_id=line["span_id"],
                parent_id=line["parent_id"] or "",
                attributes=line["attributes"],
                error=line["error"] or "",
            )
            for line in lines_of(path)
        ]

    return read


class TestJsonLinesTelemetry(RecordedTelemetryContract):
    @pytest.fixture
    async def telemetry(self, tmp_path: Path) -> AsyncIterator[JsonLinesTelemetry]:
        url = f"jsonl://{tmp_path}/spans.jsonl"
        clock, identifiers = MemoryClock(), MemoryIdentifiers()
        async with JsonLinesTelemetry.from_url(
            url, clock=clock, identifiers=identifiers
        ) as telemetry:
            yield telemetry

    @pytest.fixture
    async def other_telemetry(self, tmp_path: Path) -> AsyncIterator[JsonLinesTelemetry]:
        async with made_in(tmp_path / "other.jsonl") as telemetry:
            yield telemetry

    @pytest.fixture
    def recorded(self, tmp_path: Path) -> Recorded:
        return reader_of(tmp_path / "spans.jsonl")

    @pytest.fixture
    def other_recorded(self, tmp_path: Path) -> Recorded:
        return reader_of(tmp_path / "other.jsonl")


@pytest.mark.anyio
async def test_a_line_says_all_of_a_span(tmp_path: Path) -> None:
    clock = MemoryClock(datetime(2026, 7, 1, 12, tzinfo=UTC))
    path = tmp_path / "spans.jsonl"
    async with JsonLinesTelemetry(path, clock, MemoryIdentifiers("s")) as telemetry:
        root = telemetry.span("root", {"model": "offline/echo"})
        root.__enter__()
        clock.advance(timedelta(milliseconds=1.5))
        root.__exit__(KeyError, KeyError("secret"), None)
    assert path.read_text() == (
        '{"trace_id":"trace_s_00000001","span_id":"span_s_00000002","parent_id":null,'
        '"name":"root","start":"2026-07-01T12:00:00.000000Z","duration_ms":1.5,'
        '"attributes":{"model":"offline/echo"},"error":"KeyError"}\n'
    )
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.anyio
async def test_odd_values_make_sound_lines_and_show_nothing(tmp_path: Path) -> None:
    path = tmp_path / "spans.jsonl"
    async with made_in(path) as telemetry:
        for value in ODD_VALUES:
            with telemetry.span("odd", {"value": value}):
                pass
    values = [line["attributes"]["value"] for line in lines_of(path)]
    assert len(values) == len(ODD_VALUES)
    assert values[:4] == ["<NoneType>", "<bytes>", "nan", "-inf"]
    assert values[-4:] == ["<list>", "<dict>", "<_Mute>", "<ValueError>"]
    assert max(len(str(value)) for value in values) <= 4096


@pytest.mark.anyio
async def test_nothing_is_opened_before_the_first_span_ends(tmp_path: Path) -> None:
    path = tmp_path / "spans.jsonl"
    async with made_in(path) as telemetry:
        with telemetry.span("first"):
            await telemetry.flush()
            assert not path.exists()
    assert len(lines_of(path)) == 1


@pytest.mark.anyio
async def test_lines_are_written_without_a_flush(tmp_path: Path) -> None:
    path = tmp_path / "spans.jsonl"
    async with made_in(path) as telemetry:
        for turn in range(3):
            with telemetry.span("span"):
                pass
            async with asyncio.timeout(5):
                while len(lines_of(path)) <= turn:
                    await asyncio.sleep(0.01)


@pytest.mark.anyio
async def test_a_file_is_appended_to_by_one_run_after_another_and_by_two_at_once(
    tmp_path: Path,
) -> None:
    path = tmp_path / "spans.jsonl"
    async with made_in(path) as first:
        with first.span("first"):
            pass
    async with made_in(path) as second, made_in(path) as third:
        for number in range(200):
            with second.span("second", {"number": number}), third.span("third"):
                pass
            if number % 20 == 0:
                await asyncio.gather(second.flush(), third.flush())
    names = [line["name"] for line in lines_of(path)]
    assert names[0] == "first"
    assert (names.count("second"), names.count("third")) == (200, 200)


@pytest.mark.anyio
async def test_many_threads_and_spans_lose_none(tmp_path: Path) -> None:
    path = tmp_path / "spans.jsonl"
    async with made_in(path) as telemetry:

        def work() -> None:
            for _ in range(500):
                with telemetry.span("span"):
                    pass

        threads = [threading.Thread(target=work) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            await asyncio.to_thread(thread.join)
    assert len(lines_of(path)) == 4000
    assert telemetry.dropped == 0


@pytest.mark.anyio
async def test_health_opens_the_file_or_says_why_not(tmp_path: Path) -> None:
    async with made_in(tmp_path / "spans.jsonl") as telemetry:
        assert await telemetry.health() == "appending, 0 spans dropped"
    for path in (tmp_path, tmp_path / "missing" / "spans.jsonl"):
        async with made_in(path) as telemetry:
            with pytest.raises(ConfigurationError, match="cannot be written") as caught:
                await telemetry.health()
            assert str(tmp_path) not in caught.value.public_message
            assert isinstance(caught.value.__cause__, OSError)


@pytest.mark.parametrize(
    "url",
    ["jsonl://", "jsonl://spans.jsonl", "jsonl:///folder/", "jsonl:///nul\0", "file:///x", "x"],
    ids=ascii,
)
def test_malformed_urls_are_refused(url: str) -> None:
    with pytest.raises(ConfigurationError, match="telemetry: "):
        JsonLinesTelemetry.from_url(url, clock=MemoryClock(), identifiers=MemoryIdentifiers())


def test_a_relative_path_begins_at_the_working_directory(tmp_path: Path) -> None:
    relative = os.path.relpath(tmp_path / "spans.jsonl")
    telemetry = JsonLinesTelemetry.from_url(
        f"jsonl://./{relative}", clock=MemoryClock(), identifiers=MemoryIdentifiers()
    )
    with telemetry.span("span"):
        pass
    asyncio.run(telemetry.__aexit__(None, None, None))
    assert len(lines_of(tmp_path / "spans.jsonl")) == 1
