"""Names that callers choose end no line of a log or a table, and paint no terminal."""

import asyncio
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.infra.cli_runs import Cli, refused
from tollkeeper.adapters.json_lines.telemetry import JsonLinesTelemetry
from tollkeeper.adapters.memory.clock import MemoryClock
from tollkeeper.adapters.memory.identifiers import MemoryIdentifiers
from tollkeeper.adapters.sqlite.store import SqliteStore
from tollkeeper.domain.api_keys import ApiKey, KeySecret
from tollkeeper.domain.audit import AuditEntry

NOW = datetime(2026, 1, 1, tzinfo=UTC)
HOSTILE = [
    "a\r\nkey_forged  tk_live_0000…  admin",
    "a\n2026-01-01 00:00:00  host  key.revoked  key_1",
    "\x1b[2J\x1b[1;1H\x1b]0;title\x07",
    "\x9b31m\x85",
    "a\u2028b\u2029c",
    "\u202ednah-thgir\u2066",
    '","action":"key.revoked","x":"',
    "\x7f\b\b\b\t\v\f",
]
REFUSED = [text for text in HOSTILE if not text.isprintable()]
USER_AGENT = "curl/8\r\nX-Forged: 1\x1b[31m\u202e"


@pytest.mark.parametrize("text", REFUSED, ids=ascii)
def test_a_name_that_is_no_line_of_text_is_refused(cli: Cli, text: str) -> None:
    """CR, LF, ANSI and bidi controls in a key's name (T25)."""
    ran = cli.here("keys", "issue", "--account", "acme", "--scope", "a:b", "--name", text)
    refused(ran, 2, "name must be printable text")
    assert "no keys" in cli.here("keys", "list", "--account", "acme").out


async def _write_behind(file: Path) -> None:
    """Write keys with hostile names, and entries with hostile details, as an older one might."""
    async with SqliteStore(file) as store:
        for number, text in enumerate(HOSTILE):
            secret = KeySecret(f"{number:016}", bytes(32), "pepper", NOW)
            key = ApiKey(
                f"key_{number}", "acme", text, frozenset({"a:b"}), "tk_live", (secret,), NOW
            )
            details = {"user_agent": USER_AGENT, text: text}
            entry = AuditEntry(f"audit_{number}", NOW, "acme", text, "key.issued", key.id, details)
            await store.key_store.add(key, audit=entry)


@pytest.mark.parametrize("command", [("keys", "list"), ("audit",)], ids=" ".join)
def test_what_is_in_the_store_all_the_same_is_printed_on_its_line(
    cli: Cli, command: tuple[str, ...]
) -> None:
    """Names, actors, details and user agents in tables, lists and JSON (T25)."""
    asyncio.run(_write_behind(cli.folder / "tollkeeper.db"))
    shown = (*command, "--account", "acme")
    table = cli.here(*shown).out
    assert table.replace("\n", "").isprintable()
    lines = [line for line in table.splitlines() if line.strip()]
    assert len(lines) == len(HOSTILE) + 3  # the title, the names of the columns, and a rule
    assert "\\r\\nkey_forged" in table

    folded = cli.here(*shown, COLUMNS="40").out
    assert folded.replace("\n", "").isprintable()
    # As a list: each name of a field begins as many lines as there are rows.
    assert sum(line.lstrip().startswith("id ") for line in folded.splitlines()) == len(HOSTILE)

    document = cli.here(*shown, "--json")
    assert document.out.replace("\n", "").isprintable()
    assert len(document.json()) == len(HOSTILE)
    names = [row["name"] if "name" in row else row["actor"] for row in document.json()]
    assert names == HOSTILE
    if command == ("audit",):
        assert {row["details"]["user_agent"] for row in document.json()} == {USER_AGENT}


@pytest.mark.anyio
async def test_a_line_of_telemetry_is_one_line_whatever_it_holds(tmp_path: Path) -> None:
    """Hostile names and attributes, a user agent among them, in JSON lines (T25)."""
    file = tmp_path / "spans.jsonl"
    hostile = [*HOSTILE, "\ud800", USER_AGENT, "\0", '"}\n{"name":"forged"}']
    async with JsonLinesTelemetry(file, MemoryClock(), MemoryIdentifiers()) as telemetry:
        for text in hostile:
            with telemetry.span(text, {"user_agent": text, text: text}):
                pass
        await telemetry.flush()
    lines = file.read_bytes().split(b"\n")
    assert lines.pop() == b""
    assert all(line.decode("ascii").isprintable() for line in lines)
    spans = [json.loads(line) for line in lines]
    assert [span["name"] for span in spans] == hostile
    assert [span["attributes"]["user_agent"] for span in spans] == hostile
