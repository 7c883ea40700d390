"""The examples of docs/encryption.md and docs/secrets.md run in order, and do what is said."""

import ast
import inspect
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.application.world import PEPPER
from tests.documents import ROOT, blocks
from tollkeeper import NotFound, Secret, Settings, open_tollkeeper
from tollkeeper.adapters.cryptography.keyring_file import add_primary, new_keyring

pytestmark = pytest.mark.anyio


async def run(page: str, names: dict[str, Any]) -> list[str]:
    """Run the examples of *page*, and return the names that each of them left."""
    examples = blocks(ROOT / "docs" / page, "python")
    for block in examples:
        code = compile(block.text, block.place, "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
        running = eval(code, names)
        if inspect.isawaitable(running):
            await running
    return [block.text for block in examples]


async def test_the_examples_of_encryption_run_in_order(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ring = tmp_path / "kek.keyring"
    new_keyring(ring, at=datetime.now(UTC))
    settings = Settings(
        environment="test",
        store="memory://",
        key_pepper=PEPPER,
        chat_models={"house": "openai+http://127.0.0.1:9/v1"},
        key_encryption=f"keyring://{ring}",
    )
    async with open_tollkeeper(settings) as tk:
        kept = await tk.credentials.of_account("acme").store(
            provider="house", secret=Secret("sk-before"), label="before"
        )
        add_primary(ring, at=datetime.now(UTC))
        names: dict[str, Any] = {"tk": tk}
        assert len(await run("encryption.md", names)) == 3
        assert names["report"].values == 1
        assert names["count"] == 1
        with pytest.raises(NotFound):
            await tk.credentials.of_account("acme").load(kept.id)
        assert (await tk.verify_audit(account="acme")).ok
    said = capsys.readouterr().out
    assert "sk-" not in said
    assert "1 1\n" in said  # one data key, wrapped anew


async def test_the_example_of_secrets_runs() -> None:
    names: dict[str, Any] = {}
    assert await run("secrets.md", names)
    assert names["old"].id
