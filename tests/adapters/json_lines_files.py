"""Making and reading files of JSON lines."""

import json
from pathlib import Path
from typing import Any

from tollkeeper.adapters.json_lines.telemetry import JsonLinesTelemetry
from tollkeeper.adapters.memory.clock import MemoryClock
from tollkeeper.adapters.memory.identifiers import MemoryIdentifiers


def made_in(path: Path, **more: Any) -> JsonLinesTelemetry:
    return JsonLinesTelemetry(path, MemoryClock(), MemoryIdentifiers(), **more)


def lines_of(path: Path) -> list[dict[str, Any]]:
    """Read the file as a strict reader would: no NaN, every line whole."""

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is not JSON")

    if not path.exists():
        return []
    text = path.read_text(encoding="ascii")
    assert not text or text.endswith("\n")
    return [json.loads(line, parse_constant=refuse) for line in text.splitlines()]
