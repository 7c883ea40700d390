"""A caller who leaves a stream, at each of its pieces, over a real connection."""

import asyncio
from pathlib import Path

import pytest

from tests.application.world import EVERYTHING, settings_in
from tests.servers.openai_server import openai_server
from tollkeeper import Money, Principal, Tollkeeper, open_tollkeeper, user
from tollkeeper.domain.meters import Meter, Provenance

pytestmark = pytest.mark.anyio
PRINCIPAL = Principal(account="acme", scopes=EVERYTHING)
PROMPT = "one two three four five six seven eight"


async def _read(tk: Tollkeeper, pieces: int, leave: str) -> None:
    """Read *pieces* of the answer, then leave in the given way."""
    stream = tk.stream_completion(PRINCIPAL, model="tokens/slow", messages=[user(PROMPT)])
    if leave == "close":
        async with stream:
            for _ in range(pieces):
                await anext(stream)
        return
    task = asyncio.ensure_future(_read_on(stream, pieces, reached := asyncio.Event()))
    await reached.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def _read_on(stream: object, pieces: int, reached: asyncio.Event) -> None:
    seen = 0
    async for _ in stream:  # type: ignore[attr-defined]
        seen += 1
        if seen == pieces:
            reached.set()


async def _pieces(tk: Tollkeeper) -> int:
    stream = tk.stream_completion(PRINCIPAL, model="tokens/slow", messages=[user(PROMPT)])
    return len([delta async for delta in stream])


@pytest.mark.parametrize("leave", ["close", "cancel"])
@pytest.mark.parametrize("scheme", ["memory", "sqlite"])
async def test_the_usage_so_far_is_captured_and_the_connection_closed(
    tmp_path: Path, scheme: str, leave: str
) -> None:
    store = "memory://" if scheme == "memory" else f"sqlite:///{tmp_path}/ledger.db"
    with openai_server() as server:
        settings = settings_in(
            tmp_path, store=store, chat_models={"tokens": f"openai+{server.base_url}"}
        )
        async with open_tollkeeper(settings) as tk:
            await tk.grant_credit(
                account="acme", amount=Money.of("1.00", "USD"), idempotency_key="welcome"
            )
            whole = await _pieces(tk)
            assert whole >= 5
            charged = []
            for pieces in range(1, whole - 1):
                before = (await tk.report_usage(account="acme")).balances[0]
                await _read(tk, pieces, leave)

                assert await server.last.has_ended()
                assert server.last.disconnected
                assert server.last.packets_sent < len(PROMPT.split()) + 5
                after = (await tk.report_usage(account="acme")).balances[0]
                assert after.held.nanos == 0
                charged.append(before.posted.nanos - after.posted.nanos)

            assert all(amount > 0 for amount in charged)
            assert charged == sorted(charged)
            assert charged[-1] > charged[0]
            assert len(server.disconnects) == len(charged)
            entries = await tk.list_entries(account="acme")
            assert len(entries) == 2 + len(charged)
            report = await tk.report_usage(account="acme")
            [output] = [total for total in report.totals if total.meter is Meter.OUTPUT_TOKENS]
            assert 0 < output.estimated < output.quantity


async def test_leaving_after_the_usage_came_charges_what_the_provider_said(tmp_path: Path) -> None:
    with openai_server() as server:
        settings = settings_in(tmp_path, chat_models={"tokens": f"openai+{server.base_url}"})
        async with open_tollkeeper(settings) as tk:
            await tk.grant_credit(
                account="acme", amount=Money.of("1.00", "USD"), idempotency_key="welcome"
            )
            whole = await _pieces(tk)
            async with tk.stream_completion(
                PRINCIPAL, model="tokens/slow", messages=[user(PROMPT)]
            ) as stream:
                for _ in range(whole):
                    await anext(stream)
            assert stream.receipt is not None
            assert stream.receipt.provenance is Provenance.REPORTED
            assert stream.partial.usage is not None
