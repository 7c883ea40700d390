"""Reported keys in real stores: proved, revoked with a reason, and refused from then on."""

import asyncio
import json
import os
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.application.world import World, open_world
from tests.canary import assert_no_trace, canaries_of_token, recorded_logs
from tests.kit.broken_report_verifiers import SoundVerifier, sign
from tollkeeper import Secret
from tollkeeper.adapters.memory.clock import MemoryClock
from tollkeeper.adapters.memory.store import MemoryStore
from tollkeeper.application.leaked_keys import LeakedKeysOfStore
from tollkeeper.application.report_leaked_keys import ReportLeakedKeys
from tollkeeper.domain.errors import Conflict, Unauthenticated
from tollkeeper.domain.key_tokens import encode_token
from tollkeeper.domain.leak_reports import LeakOutcome, ReportedLeak

pytestmark = pytest.mark.anyio
CHAT = frozenset({"chat:complete"})
URL = "https://github.com/octocat/Hello-World/blob/1234/foo/bar.txt"
Open = Callable[..., AbstractAsyncContextManager[World]]


@pytest.fixture(params=["memory", "sqlite"])
def opened(request: pytest.FixtureRequest, tmp_path: Path) -> Open:
    """Open a facade on a store of the test's own."""
    store = {"memory": "memory://", "sqlite": f"sqlite:///{tmp_path}/keys.db"}[request.param]
    return lambda **more: open_world(tmp_path, store=store, **more)


def reporting(world: World) -> ReportLeakedKeys:
    """Put the use case together, on what the facade's own use cases have."""
    changes = world.tk.revoke_key.key_changes
    keys = LeakedKeysOfStore(changes.key_store, changes.mint, world.tk.revoke_key)
    return ReportLeakedKeys(SoundVerifier(), keys, changes.clock)


async def send(report: ReportLeakedKeys, *tokens: str) -> tuple[ReportedLeak, ...]:
    items = [{"token": t, "type": "acme_key", "url": URL, "source": "commit"} for t in tokens]
    body = json.dumps(items).encode()
    key_id, signature = sign(body)
    return await report(body, key_id=key_id, signature=signature)


async def outcomes(report: ReportLeakedKeys, *tokens: str) -> list[LeakOutcome]:
    return [each.outcome for each in await send(report, *tokens)]


async def test_a_reported_key_is_refused_from_then_on(opened: Open) -> None:
    """The token is revoked, the event kept, and a replay changes nothing (T26)."""
    async with opened() as world:
        issued = await world.tk.issue_key(account="acme", scopes=CHAT)
        other = await world.tk.issue_key(account="acme", scopes=CHAT)
        await world.tk.authenticate_key(issued.token)
        token = issued.token.reveal()
        (done,) = await send(reporting(world), token)
        assert (done.outcome, done.display) == (LeakOutcome.REVOKED, issued.key.display)
        with pytest.raises(Unauthenticated) as refused:
            await world.tk.authenticate_key(token)
        assert refused.value.code == "key_revoked"
        await world.tk.authenticate_key(other.token)
        assert await outcomes(reporting(world), token, token) == ["already_revoked"] * 2

        *_, entry = await world.tk.list_audit(account="acme")
        assert (entry.action, entry.subject) == ("key.leaked", issued.key.id)
        assert entry.details == {"source": "commit", "url": URL}
        assert len(await world.tk.list_audit(account="acme")) == 3
        assert_no_trace(canaries_of_token(token), await world.tk.list_audit(account="acme"), done)


async def test_only_the_one_who_has_the_token_can_report_it(opened: Open) -> None:
    async with opened() as world:
        issued = await world.tk.issue_key(account="acme", scopes=CHAT)
        token, kid = issued.token.reveal(), issued.key.secrets[0].kid
        guesses = [
            encode_token(token[:-67], kid, os.urandom(32)),
            encode_token("other_live", kid, os.urandom(32)),
            encode_token(token[:-67], "0" * 16, os.urandom(32)),
            *(token[:-1], token.swapcase(), "", "\ud800", "' OR 1=1 --"),
        ]
        assert await outcomes(reporting(world), *guesses) == ["unknown"] * len(guesses)
        await world.tk.authenticate_key(token)


async def test_each_token_of_a_rotated_key_ends_it_as_long_as_it_works(opened: Open) -> None:
    clock = MemoryClock()
    async with opened(clock=clock) as world:
        hour, report = timedelta(hours=1), reporting(world)
        for wait, expected in ((timedelta(0), "revoked"), (hour, "already_revoked")):
            old = await world.tk.issue_key(account="acme", scopes=CHAT)
            new = await world.tk.rotate_key(account="acme", key_id=old.key.id, overlap=hour)
            clock.advance(wait)
            assert await outcomes(report, old.token.reveal()) == [expected]
        await world.tk.authenticate_key(new.token)
        assert await outcomes(report, new.token.reveal()) == ["revoked"]


async def test_a_disabled_key_and_an_expired_one_are_revoked_too(opened: Open) -> None:
    clock = MemoryClock()
    async with opened(clock=clock) as world:
        resting = await world.tk.issue_key(account="acme", scopes=CHAT)
        await world.tk.disable_key(account="acme", key_id=resting.key.id)
        ended = await world.tk.issue_key(
            account="acme", scopes=CHAT, expires_in=timedelta(seconds=1)
        )
        clock.advance(timedelta(seconds=1))
        tokens = [resting.token.reveal(), ended.token.reveal()]
        assert await outcomes(reporting(world), *tokens) == ["revoked", "revoked"]


async def test_many_reports_at_once_end_a_key_once(opened: Open) -> None:
    async with opened() as world:
        token = (await world.tk.issue_key(account="acme", scopes=CHAT)).token.reveal()
        await asyncio.gather(*(send(reporting(world), token) for _ in range(8)))
        entries = await world.tk.list_audit(account="acme")
        assert [entry.action for entry in entries] == ["key.issued", "key.leaked"]


async def test_a_deleted_key_is_unknown(opened: Open) -> None:
    async with opened() as world:
        issued = await world.tk.issue_key(account="acme", scopes=CHAT)
        await world.tk.delete_key(account="acme", key_id=issued.key.id)
        assert await outcomes(reporting(world), issued.token.reveal()) == ["unknown"]


async def test_a_key_whose_pepper_is_not_at_hand_is_no_unknown_key(tmp_path: Path) -> None:
    """Nobody can say whether it leaked: that is told, with the pepper's name (T27)."""
    store = MemoryStore()
    lent: dict[str, Any] = {"key_store": store.key_store, "audit_log": store.audit_log}
    async with open_world(tmp_path, **lent) as before:
        issued = await before.tk.issue_key(account="acme", scopes=CHAT)
    other = {"key_pepper": Secret(os.urandom(32).hex())}
    async with open_world(tmp_path, options=other, **lent) as after:
        with recorded_logs() as logs, pytest.raises(Conflict) as failed:
            await outcomes(reporting(after), issued.token.reveal())
        assert failed.value.code == "pepper_unknown"
        assert issued.key.secrets[0].pepper_id in str(failed.value)
        assert_no_trace(canaries_of_token(issued.token.reveal()), failed.value, logs)
