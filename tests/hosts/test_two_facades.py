"""Two facades in one process, used at once: nothing of one reaches the other."""

import asyncio
import json
import os
from pathlib import Path

import pytest

from tests.application.world import EVERYTHING, settings_in
from tests.servers.openai_server import openai_server
from tollkeeper import Money, Principal, Secret, Settings, Tollkeeper, open_tollkeeper, user
from tollkeeper.domain.errors import NotFound, Unauthenticated

pytestmark = pytest.mark.anyio
HOSTS = ("north", "south")


async def _work(tk: Tollkeeper, host: str) -> str:
    """Issue a key, take credit of another size each, and make calls; return the token."""
    issued = await tk.issue_key(account="acme", scopes=EVERYTHING)
    amount = Money.of("1.00" if host == "north" else "2.00", "USD")
    await tk.grant_credit(account="acme", amount=amount, idempotency_key="welcome")
    for number in range(10):
        principal = await tk.authenticate_key(issued.token)
        await tk.complete(principal, model="offline/echo", messages=[user(f"{host} {number}")])
        await tk.stream_completion(
            principal, model=f"{host}/echo", messages=[user(f"{host} {number}")]
        ).completion()
    return issued.token.reveal()


async def test_keys_balances_models_credentials_and_telemetry_never_cross(tmp_path: Path) -> None:
    before = dict(os.environ)
    with openai_server() as north, openai_server() as south:
        settings: dict[str, Settings] = {}
        for host, server in zip(HOSTS, (north, south), strict=True):
            folder = tmp_path / host
            folder.mkdir()
            prices = folder / "prices.toml"
            settings[host] = settings_in(
                folder,
                store=f"sqlite:///{folder}/tollkeeper.db",
                telemetry=f"jsonl://{folder}/spans.jsonl",
                chat_models={"offline": "offline://", host: f"openai+{server.base_url}"},
                api_keys={host: Secret(f"sk-of-{host}")},
            )
            with prices.open("a") as file:
                file.write(
                    f'[[prices]]\nmodel = "{host}/*"\nsource = "a test"\n'
                    'effective_from = 2000-01-01\nrequests = "0.02 per 1"\n'
                )
        async with (
            open_tollkeeper(settings["north"]) as first,
            open_tollkeeper(settings["south"]) as second,
        ):
            tokens = await asyncio.gather(_work(first, "north"), _work(second, "south"))

            for tk, foreign in ((first, tokens[1]), (second, tokens[0])):
                with pytest.raises(Unauthenticated):
                    await tk.authenticate_key(foreign)
            principal = Principal(account="acme", scopes=EVERYTHING)
            with pytest.raises(NotFound):
                await first.complete(principal, model="south/echo", messages=[user("hi")])
            balances = [
                (await tk.report_usage(account="acme")).balances[0].posted.amount
                for tk in (first, second)
            ]
            assert balances == ["0.70", "1.70"]

        for host, server in zip(HOSTS, (north, south), strict=True):
            assert len(server.requests) == 10
            sent = {request.headers["authorization"] for request in server.requests}
            assert sent == {f"Bearer sk-of-{host}"}
            other = HOSTS[1 - HOSTS.index(host)]
            assert all(other.encode() not in request.body for request in server.requests)
            lines = (tmp_path / host / "spans.jsonl").read_text().splitlines()
            spans = [json.loads(line) for line in lines]
            answered = [span for span in spans if not span.get("error")]
            models = {span["attributes"].get("gen_ai.request.model") for span in answered} - {None}
            assert models == {"offline/echo", f"{host}/echo"}
            assert len(answered) == 20
    assert dict(os.environ) == before
