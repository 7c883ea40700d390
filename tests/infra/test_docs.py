"""What the documentation says is what the code does."""

import ast
import contextlib
import inspect
import os
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

import tollkeeper
from tests.documents import PAGES, ROOT, Block, anchors, blocks, links, prose, ticked
from tollkeeper import Money, Principal, Settings, open_tollkeeper
from tollkeeper.infra.catalogue import load_catalogue
from tollkeeper.infra.price_book import load_price_book

DOCS = ROOT / "docs"
PYTHON = [block for page in PAGES for block in blocks(page, "python")]
PAGES_WITH_A_FACADE = (
    *("README.md", "docs/money.md", "docs/errors.md", "docs/transcription.md"),
    *("docs/completions.md", "docs/models.md", "docs/resilience.md", "docs/events.md"),
)
"""Their examples run where ``tk`` is open, unless they open it themselves."""
TOML = [block for page in PAGES for block in blocks(page, "toml")]


def _place(block: Block) -> str:
    return block.place


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    for link in links(page):
        if link.startswith(("https://", "http://", "mailto:")):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), f"{page.name}: {link}"
        assert target.is_relative_to(ROOT), f"{page.name}: {link} leads out of the repository"
        if anchor:
            assert anchor in anchors(target), f"{page.name}: {link}"


def test_every_page_is_reached_from_the_readme() -> None:
    reached, waiting = set(), [ROOT / "README.md"]
    while waiting:
        page = waiting.pop()
        if page not in reached and page.suffix == ".md":
            reached.add(page)
            paths = (link.partition("#")[0] for link in links(page) if "://" not in link)
            waiting += [(page.parent / path).resolve() for path in paths if path]
    assert set(PAGES) <= reached


@pytest.mark.parametrize("block", PYTHON, ids=_place)
def test_python_blocks_compile(block: Block) -> None:
    compile(block.text, block.place, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)


@pytest.mark.anyio
@pytest.mark.parametrize("page", PAGES_WITH_A_FACADE)
async def test_examples_of_a_page_run_in_order_in_an_open_facade(page: str, tmp_path: Path) -> None:
    names: dict[str, Any] = {name: getattr(tollkeeper, name) for name in tollkeeper.__all__}
    examples = [block for block in PYTHON if block.page == ROOT / page]
    with contextlib.chdir(tmp_path):
        async with open_tollkeeper(Settings(store="memory://")) as tk:
            scopes = {"chat:complete", "embeddings:create", "audio:transcribe"}
            principal = Principal(account="acme", scopes=scopes)
            await tk.grant_credit(
                account="acme", amount=Money.of("5.00", "USD"), idempotency_key="welcome"
            )
            names |= {"tk": tk, "principal": principal}
            for block in examples:
                if "open_tollkeeper" in block.text:
                    continue  # it opens one itself, and is run as a program
                code = compile(block.text, block.place, "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
                running = eval(code, names)
                if inspect.isawaitable(running):
                    await running


@pytest.mark.parametrize("block", TOML, ids=_place)
def test_toml_blocks_are_toml(block: Block) -> None:
    tomllib.loads(block.text)


def _load(block: Block, folder: Path) -> None:
    """Load *block* as a settings file, in each of its environments."""
    file = folder / "tollkeeper.toml"
    file.write_text(block.text, "utf-8")
    (folder / "prices.toml").write_text('version = "mine"\n')
    wanted = re.findall(r'"env:(\w+)"', block.text)
    environ = {name: os.urandom(32).hex() for name in wanted}
    for environment in tomllib.loads(block.text).keys() - {"default"}:
        Settings.load(environment=environment, file=file, environ=environ)
    Settings.load(file=file, environ=environ)


@pytest.mark.parametrize("block", [b for b in TOML if "[default" in b.text], ids=_place)
def test_settings_files_load(block: Block, tmp_path: Path) -> None:
    _load(block, tmp_path)


def test_price_books_load(tmp_path: Path) -> None:
    (book,) = [block for block in TOML if "[[prices]]" in block.text]
    file = tmp_path / "prices.toml"
    file.write_text(book.text, "utf-8")
    assert load_price_book(str(file)).version.endswith("2026-11-22")


def test_catalogues_load(tmp_path: Path) -> None:
    (block,) = [block for block in TOML if "[[models]]" in block.text]
    file = tmp_path / "models.toml"
    file.write_text(block.text, "utf-8")
    catalogue = load_catalogue(str(file))
    writer, gpt_4o = catalogue.card("writer"), catalogue.card("openai/gpt-4o")
    assert writer is not None
    assert writer.id == "house/writer-2"
    assert gpt_4o is not None
    assert not gpt_4o.enabled


def test_decisions_have_their_three_parts_and_are_listed() -> None:
    folder = DOCS / "adr"
    pages = sorted(folder.glob("0*.md"))
    numbers = [int(page.name[:4]) for page in pages]
    assert numbers == list(range(1, len(pages) + 1))
    for page in pages:
        text = page.read_text("utf-8")
        assert text.startswith(f"# {page.name[:4]}: ")
        assert re.findall(r"^## (.+)$", text, re.MULTILINE) == [
            "Context",
            "Decision",
            "Consequences",
        ]
        assert len(text.splitlines()) <= 60, f"{page.name} is longer than a page"
    assert {link for link in links(folder / "README.md") if link[0] == "0"} == {
        page.name for page in pages
    }


def test_targets_of_make_that_pages_name_exist() -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    targets = set(re.findall(r"^([a-z]+):", makefile, re.MULTILINE))
    for page in PAGES:
        shell = "\n".join(block.text for block in blocks(page, "sh", "console"))
        named = re.findall(r"^(?:\$ )?make ([a-z]+)", shell, re.MULTILINE)
        named += [name[5:] for name in ticked(prose(page)) if name.startswith("make ")]
        assert set(named) <= targets, page.name
