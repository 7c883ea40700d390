"""What tables do where answers are late, lost or broken off; for databases over a network."""

import asyncio

import pytest
from attrs import frozen

from tests.servers.tcp_proxy import Fault, TcpProxy
from tollkeeper.contracts.tables_samples import NOTES, a_note, every_row
from tollkeeper.domain.errors import PortError, Timeout, Unavailable
from tollkeeper.domain.filters import col
from tollkeeper.ports.tables import Tables

FAULTS = [Fault.RESET, Fault.SWALLOWED]


@frozen
class Through:
    """Tables whose answers pass a proxy; they give up after two seconds."""

    tables: Tables
    proxy: TcpProxy


class LostAnswers:
    """The fixtures are ``tables``, and ``through``: the same through a proxy."""

    @pytest.mark.parametrize("fault", FAULTS)
    async def test_a_write_is_never_done_twice(
        self, tables: Tables, through: Through, fault: Fault
    ) -> None:
        await through.tables.insert(NOTES, [a_note("first")])
        through.proxy.fault, through.proxy.marker = fault, b"contract_notes"
        started = asyncio.get_running_loop().time()
        steps = [through.tables.insert(NOTES, [a_note(f"lost {n}")]) for n in range(3)]
        for answer in await asyncio.gather(*steps, return_exceptions=True):
            assert isinstance(answer, Unavailable | Timeout)
            assert (answer.port, answer.ambiguous) == ("tables", True)
        assert asyncio.get_running_loop().time() - started < 5
        through.proxy.fault = Fault.NONE
        titles = [row["title"] for row in await every_row(tables, NOTES)]
        assert len(titles) == len(set(titles)) <= 4
        # Whole again: every connection of the pool answers what it was asked.
        steps = [through.tables.insert(NOTES, [a_note(f"after {n}")]) for n in range(6)]
        rows = await asyncio.gather(*steps)
        assert [row["title"] for [row] in rows] == [f"after {n}" for n in range(6)]

    async def test_a_read_is_repeated(self, through: Through) -> None:
        await through.tables.insert(NOTES, [a_note("there")])
        through.proxy.marker, through.proxy.times = b"contract_notes", 1
        through.proxy.fault = Fault.RESET
        page = await through.tables.select(NOTES, where=col("title") == "there")
        assert [row["title"] for row in page.rows] == ["there"]
        assert through.proxy.faults == 1

    async def test_late_answers_are_given_up_in_time(self, through: Through) -> None:
        await through.tables.insert(NOTES, [a_note("there")])
        through.proxy.fault, through.proxy.delay = Fault.DELAYED, 6.0
        started = asyncio.get_running_loop().time()
        steps = [through.tables.select(NOTES) for _ in range(8)]
        answers = await asyncio.gather(*steps, return_exceptions=True)
        assert all(isinstance(answer, PortError) for answer in answers)
        assert asyncio.get_running_loop().time() - started < 4
