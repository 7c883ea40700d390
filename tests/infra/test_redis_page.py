"""What docs/redis.md shows works on a real Redis, and its table of options is complete."""

import ast
import inspect
from typing import Any

import pytest

from tests.adapters.redis_time import own_namespace
from tests.documents import ROOT, blocks, tables
from tests.servers.redis_server import shared_cluster_url, shared_server_url
from tollkeeper import Settings, open_tollkeeper
from tollkeeper.adapters.redis.urls import SCHEMES, parse_redis_url

PAGE = ROOT / "docs" / "redis.md"


@pytest.mark.anyio
@pytest.mark.parametrize("on", ["one", "cluster"])
async def test_the_examples_run_in_order(on: str) -> None:
    url = own_namespace(shared_server_url() if on == "one" else shared_cluster_url())
    settings = Settings(store="memory://", cache=url, rate_limiter=url)
    async with open_tollkeeper(settings) as tk:
        names: dict[str, Any] = {"tk": tk}
        examples = blocks(PAGE, "python")
        assert len(examples) >= 3
        for block in examples:
            code = compile(block.text, block.place, "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
            running = eval(code, names)
            if inspect.isawaitable(running):
                await running


def test_every_scheme_and_option_is_explained_with_its_default() -> None:
    urls, options, *_ = tables(PAGE)
    said = " ".join(row["URL"] for row in urls)
    assert all(f"{scheme}://" in said for scheme in SCHEMES)
    defaults = {row["option"]: row["default"].strip("`") for row in options}
    read = parse_redis_url("redis://host", port="cache")
    for name in ("pool_size", "timeout", "namespace", "tls"):
        [told] = [value for option, value in defaults.items() if option.strip("`") == name]
        assert told == str(getattr(read, name)).lower().removesuffix(".0"), name
    named = {name.strip("` ") for option in defaults for name in option.split(",")}
    assert named == {
        *("pool_size", "timeout", "acquire_timeout", "namespace"),
        *("tls", "ca_file", "cert_file", "key_file"),
    }
