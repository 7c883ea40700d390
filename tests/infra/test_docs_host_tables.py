"""The examples of docs/tables.md run, one after the other."""

import ast
import inspect
from types import SimpleNamespace
from typing import Any

import pytest

from tests.documents import ROOT, blocks
from tollkeeper.adapters.memory.tables import MemoryTables
from tollkeeper.domain.tables import Function, Table

PAGE = ROOT / "docs" / "tables.md"


@pytest.mark.anyio
async def test_the_examples_run_in_order() -> None:
    names: dict[str, Any] = {"tk": SimpleNamespace(tables=MemoryTables())}
    examples = blocks(PAGE, "python")
    for block in examples:
        running = eval(
            compile(block.text, block.place, "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT), names
        )
        if inspect.isawaitable(running):
            await running
    assert len(examples) == 5
    assert isinstance(names["NOTES"], Table)
    assert isinstance(names["TRANSFER"], Function)
    of_users = SimpleNamespace(as_user=lambda _: names["tk"].tables)
    assert await names["notes_of"](SimpleNamespace(tables=of_users), "token")
