"""No row of a PostgreSQL database holds a token or a pepper, whatever went wrong."""

from pathlib import Path

import pytest

from tests.adapters.postgres_databases import postgres_url as postgres_url
from tests.application.test_canaries_keys import Trail, observed, push_through
from tests.canary import assert_no_trace, postgres_rows
from tollkeeper.adapters.memory.clock import MemoryClock

pytestmark = pytest.mark.anyio


async def test_no_row_holds_a_token_or_a_pepper(tmp_path: Path, postgres_url: str) -> None:
    """Each refusal, on PostgreSQL, whose rows are searched column by column (T23)."""
    trail, clock = Trail(), MemoryClock()
    async with observed(tmp_path, trail, clock=clock, store=postgres_url) as world:
        await push_through(world, trail, clock)
        await world.tk.issue_key(account="acme", scopes={"a:b"}, name="a name to be found")
    rows = await postgres_rows(postgres_url)
    assert_no_trace(trail.canaries, rows, *trail.places)
    with pytest.raises(AssertionError, match="a canary is shown by"):
        assert_no_trace(["a name to be found"], rows)
