"""What a store keeps of keys tells no token, whatever of it leaks (T4)."""

import asyncio
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from tests.application.raw_stores import KINDS, RawPostgres, RawStore, raw_store
from tests.application.world import settings_in
from tollkeeper import Tollkeeper, open_tollkeeper
from tollkeeper.domain.key_tokens import Pepper

pytestmark = pytest.mark.anyio
KEYS = 1000
STRETCH = 12
SHOWN = len("tk_test_") + 4
"""How much of a token may be shown for ever: its prefix, and four characters of its kid."""


@pytest.fixture(params=KINDS)
def raw(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[RawStore]:
    with raw_store(request.param, tmp_path) as store:
        yield store


async def issued(tk: Tollkeeper, count: int) -> list[str]:
    """Make keys of many accounts, a few at a time."""
    tokens: list[str] = []
    for begin in range(0, count, 50):
        made = [
            tk.issue_key(account=f"acme-{number % 50}", scopes={"chat:complete"}, name=f"{number}")
            for number in range(begin, begin + 50)
        ]
        tokens += [each.token.reveal() for each in await asyncio.gather(*made)]
    return tokens


async def everything(raw: RawStore, folder: Path) -> str:
    """Return all that is stored, as text: of a file its bytes, of a server each column."""
    if isinstance(raw, RawPostgres):
        connection = await asyncpg.connect(raw.url)
        try:
            tables = await connection.fetch(
                "SELECT table_name FROM information_schema.tables "
                "WHERE table_schema = 'tollkeeper' AND table_type = 'BASE TABLE'"
            )
            rows: list[Any] = []
            for (table,) in tables:
                rows += await connection.fetch(f"SELECT t::text FROM tollkeeper.{table} AS t")
            return "\n".join(row[0] for row in rows)
        finally:
            await connection.close()
    if files := await asyncio.to_thread(lambda: sorted(folder.glob("tollkeeper.db*"))):
        return b"\n".join([file.read_bytes() for file in files]).decode("latin-1")
    database = raw.lent["store"].database
    return repr((database.keys, database.audit)) + "".join(
        secret.verifier.decode("latin-1")
        for key in database.keys.values()
        for secret in key.secrets
    )


async def test_no_part_of_a_token_is_stored_but_what_may_be_shown(
    raw: RawStore, tmp_path: Path
) -> None:
    async with open_tollkeeper(settings_in(tmp_path, store=raw.url), **raw.lent) as tk:
        tokens = await issued(tk, KEYS)
    kept = await everything(raw, tmp_path)
    assert len(set(tokens)) == KEYS
    # Of each secret every stretch of twelve characters.
    runs = re.findall(f"[0-9A-Za-z]{{{STRETCH},}}", kept)
    stored = {run[at : at + STRETCH] for run in runs for at in range(len(run) - STRETCH + 1)}
    for token in tokens:
        assert token[:SHOWN] in kept  # it is looked for in the right place
        secret = token[len("tk_test_") + 16 + 1 :]
        assert not stored & {secret[at : at + STRETCH] for at in range(len(secret) - STRETCH + 1)}
    assert re.search(r"tk_test_[0-9a-z]{5}", kept) is None


async def test_another_pepper_gives_another_verifier(raw: RawStore, tmp_path: Path) -> None:
    async with open_tollkeeper(settings_in(tmp_path, store=raw.url), **raw.lent) as tk:
        key = await tk.issue_key(account="acme", scopes={"chat:complete"})
    token, kept = key.token.reveal(), key.key.secrets[0].verifier
    peppers = [Pepper(bytes([number]) * 32) for number in range(20)]
    verifiers = {pepper.verifier(token) for pepper in peppers}
    assert len(verifiers) == 20
    assert kept not in verifiers
