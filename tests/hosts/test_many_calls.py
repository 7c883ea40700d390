"""Many calls at once and in a row: keys never cross, streams leak nothing and stay prompt."""

import asyncio
import gc
import resource
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.application.world import EVERYTHING, settings_in
from tests.servers.counting_server import CountingServer, counting_server
from tollkeeper import Money, Principal, Secret, Settings, Tollkeeper, open_tollkeeper, user

pytestmark = pytest.mark.anyio

PRICES = """
[[prices]]
model = "openai/*"
effective_from = 2000-01-01
source = "a test"
input_tokens = "0.000001 per 1"
output_tokens = "0.000002 per 1"
"""
HELLO = [user("Hello")]
PRINCIPAL = Principal(account="acme", scopes=EVERYTHING)
STREAMS = 2_000
CHUNKS = 20
INTERVAL = 1500
"""Milliseconds from one chunk of a stream to its next."""


def settings_for(folder: Path, server: CountingServer, key: str) -> Settings:
    """Make settings for OpenAI's models at *server*, with *key*."""
    settings = settings_in(
        folder,
        chat_models={"openai": f"openai+{server.base_url}?connections={STREAMS}"},
        api_keys={"openai": Secret(key)},
    )
    with (folder / "prices.toml").open("a") as prices:
        prices.write(PRICES)
    return settings


async def granted(tk: Tollkeeper) -> Tollkeeper:
    """Give the account more than all calls here can cost."""
    amount = Money.of("1000000", "USD")
    await tk.grant_credit(account="acme", amount=amount, idempotency_key="welcome")
    return tk


@pytest.mark.parametrize("requests", [400, pytest.param(100_000, marks=pytest.mark.soak)])
async def test_each_request_bears_the_key_of_its_own_facade(tmp_path: Path, requests: int) -> None:
    """Half of them as streams; every other call brings a tenant's own key along."""
    for name in ("north", "south"):
        (tmp_path / name).mkdir()
    with counting_server() as server:

        async def work(tk: Tollkeeper, host: str) -> None:
            own = await tk.bind_credential(provider="openai", secret=Secret(f"sk-tenant-{host}"))
            left = iter(range(requests // 2))

            async def caller() -> None:
                for number in left:
                    credentials = [own] if number % 2 else None
                    model = f"openai/{host}"
                    if number % 4 < 2:
                        await tk.complete(
                            PRINCIPAL, model=model, messages=HELLO, credentials=credentials
                        )
                    else:
                        await tk.stream_completion(
                            PRINCIPAL, model=model, messages=HELLO, credentials=credentials
                        ).completion()

            await asyncio.gather(*(caller() for _ in range(32)))

        async with (
            open_tollkeeper(settings_for(tmp_path / "north", server, "sk-north")) as north,
            open_tollkeeper(settings_for(tmp_path / "south", server, "sk-south")) as south,
        ):
            await asyncio.gather(
                work(await granted(north), "north"), work(await granted(south), "south")
            )
            for tk in (north, south):
                report = await tk.report_usage(account="acme")
                assert max(total.events for total in report.totals) == requests // 2
        quarter = requests // 4
        assert server.seen() == {
            (f"Bearer sk-{owner}{host}", f"/v1/chat/completions {host}"): quarter
            for host in ("north", "south")
            for owner in ("", "tenant-")
        }


def resident_kib() -> int:
    """Return how much memory the process has now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() // 1024


@pytest.mark.soak
async def test_two_thousand_streams_at_once_are_prompt_and_leak_nothing(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    """Each chunk says when it was written; what is added is read off the same machine's clock."""
    late: list[float] = []

    async def read(tk: Tollkeeper) -> None:
        stream = tk.stream_completion(
            PRINCIPAL, model=f"openai/stream-{CHUNKS}-{INTERVAL}", messages=HELLO
        )
        late.extend(
            [
                (time.perf_counter_ns() - int(delta.text)) / 1e6
                async for delta in stream
                if delta.text
            ]
        )
        assert stream.receipt is not None

    with counting_server() as server:
        async with open_tollkeeper(settings_for(tmp_path, server, "sk-one")) as tk:
            await granted(tk)
            await read(tk)  # imports, pools and buffers are there
            late.clear()
            tasks_before, before = len(asyncio.all_tasks()), resident_kib()
            readers, peak = [], before
            for _ in range(STREAMS):
                readers.append(asyncio.create_task(read(tk)))
                # Streams that all begin at once all have their chunks at once, for ever.
                await asyncio.sleep(INTERVAL / 1000 / STREAMS)
            while not all(reader.done() for reader in readers):
                await asyncio.sleep(0.5)
                peak = max(peak, resident_kib())
            await asyncio.gather(*readers)
            assert len(late) == STREAMS * CHUNKS
            assert len(asyncio.all_tasks()) == tasks_before
            report = await tk.report_usage(account="acme")
            assert report.balances[0].held.nanos == 0
        seen = server.connections()
        gc.collect()
        assert seen.open <= 1, "only the one that asks is left"
        assert seen.abandoned == 0
        assert seen.most >= STREAMS
    per_stream = (peak - before) / STREAMS
    percentiles = statistics.quantiles(late, n=100)
    shown = (
        f"{STREAMS} streams of {CHUNKS} chunks: {per_stream:.0f} KiB a stream at the peak, added "
        f"to a chunk {percentiles[49]:.1f} ms (p50), {percentiles[98]:.1f} ms (p99)"
    )
    record_property("streams", shown)
    print(f"\n{shown}")
    assert per_stream < 256, "memory is bounded by the streams that are open"
