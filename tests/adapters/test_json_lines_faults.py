"""The JSON-lines telemetry on a full disk, across a fork, and when it is told too much."""

import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from tests.adapters.json_lines_files import lines_of, made_in


@pytest.mark.anyio
async def test_what_does_not_fit_the_queue_is_dropped_and_counted(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)  # without a reader, opening it takes for ever: a disk that hangs
    telemetry = made_in(path, most_waiting=10)
    started = time.perf_counter()
    for _ in range(1000):
        with telemetry.span("span"):
            pass
    assert time.perf_counter() - started < 1
    assert 1000 - 2 * 10 <= telemetry.dropped <= 1000 - 10
    with path.open() as reader:
        await telemetry.flush()
        await telemetry.__aexit__(None, None, None)
        assert len(reader.read().splitlines()) == 1000 - telemetry.dropped


@pytest.mark.anyio
async def test_what_cannot_be_written_is_dropped_and_counted(tmp_path: Path) -> None:
    path = tmp_path / "missing" / "spans.jsonl"
    async with made_in(path) as telemetry:
        for _ in range(5):
            with telemetry.span("lost"):
                pass
        await telemetry.flush()
        assert telemetry.dropped == 5
        path.parent.mkdir()
        with telemetry.span("kept"):
            pass
    assert [line["name"] for line in lines_of(path)] == ["kept"]
    assert telemetry.dropped == 5


FULL_DISK = """
import asyncio, resource, signal, sys
from pathlib import Path
from tollkeeper.adapters.json_lines.telemetry import JsonLinesTelemetry
from tollkeeper.adapters.memory.clock import MemoryClock
from tollkeeper.adapters.memory.identifiers import MemoryIdentifiers

def limit(size):
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))

async def main(path):
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    async with JsonLinesTelemetry(path, MemoryClock(), MemoryIdentifiers()) as telemetry:
        limit(1000)
        for _ in range(10):
            with telemetry.span("span"):
                pass
        await telemetry.flush()
        limit(resource.RLIM_INFINITY)
        with telemetry.span("last"):
            pass
    print(telemetry.dropped)

asyncio.run(main(Path(sys.argv[1])))
"""


def test_a_full_disk_spoils_no_line_but_the_one_it_cut(tmp_path: Path) -> None:
    path = tmp_path / "spans.jsonl"
    run = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(path)], capture_output=True, text=True, check=True
    )
    lines = path.read_text().splitlines()
    whole = [json.loads(line) for line in lines if line.endswith("}")]
    assert len(lines) == len(whole) + 1
    assert whole[-1]["name"] == "last"
    assert len(whole) + int(run.stdout) == 11


FORK = """
import asyncio, os, sys
from pathlib import Path
from tollkeeper.adapters.json_lines.telemetry import JsonLinesTelemetry
from tollkeeper.adapters.memory.clock import MemoryClock
from tollkeeper.adapters.memory.identifiers import MemoryIdentifiers

telemetry = JsonLinesTelemetry(Path(sys.argv[1]), MemoryClock(), MemoryIdentifiers())

def spans(name):
    for _ in range(100):
        with telemetry.span(name):
            pass

spans("before")
child = os.fork()
spans("child" if child == 0 else "parent")
asyncio.run(telemetry.__aexit__(None, None, None))
if child:
    os.waitpid(child, 0)
"""


def test_a_forked_process_writes_its_own_spans_and_not_its_parents(tmp_path: Path) -> None:
    path = tmp_path / "spans.jsonl"
    subprocess.run([sys.executable, "-W", "ignore", "-c", FORK, str(path)], check=True, timeout=30)
    names = [line["name"] for line in lines_of(path)]
    assert {name: names.count(name) for name in names} == {
        "before": 100,
        "child": 100,
        "parent": 100,
    }


@pytest.mark.anyio
async def test_after_closing_spans_are_dropped_and_no_thread_is_left(tmp_path: Path) -> None:
    async with made_in(tmp_path / "spans.jsonl") as telemetry:
        with telemetry.span("kept"):
            pass
    with telemetry.span("late"):
        pass
    await telemetry.flush()
    assert telemetry.dropped == 1
    assert len(lines_of(tmp_path / "spans.jsonl")) == 1
    assert "json-lines" not in {thread.name for thread in threading.enumerate()}
