"""The examples of docs/api-keys.md run in order, and its expressions are those of the code."""

import ast
import inspect
import json
import re
import tomllib
from typing import Any

import pytest
from attrs import frozen

from tests.documents import ROOT, blocks
from tests.kit.broken_report_verifiers import SoundVerifier, sign
from tollkeeper import Settings, Tollkeeper, open_tollkeeper
from tollkeeper.application.leaked_keys import LeakedKeysOfStore
from tollkeeper.application.report_leaked_keys import ReportLeakedKeys
from tollkeeper.domain.errors import Unauthenticated
from tollkeeper.domain.key_tokens import parse_token, token_pattern

PAGE = ROOT / "docs" / "api-keys.md"


class WithReports:
    """The facade, with a reporter that signs as these tests do."""

    def __init__(self, tk: Tollkeeper) -> None:
        changes = tk.revoke_key.key_changes
        keys = LeakedKeysOfStore(changes.key_store, changes.mint, tk.revoke_key)
        self.report_leaked_keys = ReportLeakedKeys(SoundVerifier(), keys, changes.clock)
        self._tk = tk

    def __getattr__(self, name: str) -> Any:
        return getattr(self._tk, name)


@frozen
class Request:
    """A request as web frameworks show it."""

    sent: bytes
    headers: dict[str, str]

    async def body(self) -> bytes:
        return self.sent


def signed(*items: object) -> Request:
    body = json.dumps(items).encode()
    key_id, signature = sign(body)
    return Request(
        body,
        {"Github-Public-Key-Identifier": key_id, "Github-Public-Key-Signature": signature},
    )


@pytest.mark.anyio
async def test_the_examples_run_in_order(capsys: pytest.CaptureFixture[str]) -> None:
    async with open_tollkeeper(Settings(store="memory://", key_prefix="tk_live")) as tk:
        names: dict[str, Any] = {"tk": WithReports(tk)}
        examples = blocks(PAGE, "python")
        assert len(examples) == 7
        for block in examples:
            code = compile(block.text, block.place, "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
            running = eval(code, names)
            if inspect.isawaitable(running):
                await running
        said = capsys.readouterr().out.splitlines()
        assert token_pattern("tk_live") in said
        assert "as if it had never been" in said

        request = signed({"token": names["token"], "type": "ours"}, {"token": "nonsense"})
        answer = await names["on_report"](request)
        assert [each["label"] for each in answer] == ["true_positive", "false_positive"]
        assert names["token"] not in json.dumps(answer)
        with pytest.raises(Unauthenticated):
            await tk.authenticate_key(names["token"], client_address="203.0.113.7")


def test_the_rule_for_gitleaks_is_the_published_expression() -> None:
    (block,) = blocks(PAGE, "toml")
    (rule,) = tomllib.loads(block.text)["rules"]
    assert rule["regex"] == token_pattern("tk_live")
    (shown, *_) = blocks(PAGE, "")
    token = shown.text.strip()
    assert all(word in token for word in rule["keywords"])
    match = re.search(rule["regex"], f"key={token}\n")
    assert match is not None
    assert match[rule["secretGroup"]] == token
    assert parse_token(token, prefix="tk_live").kid == "000g40r40m30e209"
