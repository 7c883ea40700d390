"""No error path of API keys shows a token or a pepper, wherever one looks."""

import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from attrs import define, field

from tests.application.world import World, open_world
from tests.canary import assert_no_trace, canaries_of_token, recorded_logs, sqlite_files
from tollkeeper import Principal, Secret
from tollkeeper.adapters.memory.clock import MemoryClock
from tollkeeper.adapters.memory.store import MemoryStore
from tollkeeper.domain.api_keys import IssuedKey
from tollkeeper.domain.errors import TollkeeperError, Unavailable
from tollkeeper.domain.key_tokens import encode_token

pytestmark = pytest.mark.anyio
CHAT = frozenset({"chat:complete"})
METHODS = ("add", "replace", "remove", "get", "find", "list", "page", "mark_used")
Call = Callable[[], Awaitable[object]]


@define
class FailingKeyStore:
    """The key store of *store*; once *broken*, it fails as a database does, after its work."""

    store: MemoryStore = field(factory=MemoryStore)
    broken: set[str] = field(factory=set)
    calls: list[str] = field(factory=list)

    def __getattr__(self, name: str) -> Any:
        if name not in METHODS:
            raise AttributeError(name)

        async def call(*args: Any, **kwargs: Any) -> Any:
            answer = await getattr(self.store.key_store, name)(*args, **kwargs)
            if name in self.broken:
                self.calls.append(name)
                try:
                    raise OSError(f"broken pipe: {name}{args}{kwargs} -> {answer}")
                except OSError as error:
                    raise Unavailable("away", port="key_store", adapter="test") from error
            return answer

        return call


@define
class Trail:
    """What was pushed through, and what came of it."""

    canaries: list[str] = field(factory=list)
    places: list[object] = field(factory=list)
    failed: list[str] = field(factory=list)

    def push(self, token: str) -> str:
        """Look for *token* in the end."""
        self.canaries += canaries_of_token(token)
        return token

    def issued(self, issued: IssuedKey) -> str:
        """Look for the token of *issued* in the end, in *issued* too."""
        self.places += [issued, issued.key]
        return self.push(issued.token.reveal())

    async def fails(
        self, call: Callable[..., Awaitable[object]], *args: Any, **kwargs: Any
    ) -> None:
        """Note how the call fails; that it does is part of the test."""
        try:
            done = await call(*args, **kwargs)
        except TollkeeperError as error:
            self.places.append(error)
            self.failed.append(error.code)
        else:
            raise AssertionError(f"that was to fail: {done!r}")

    async def does_not_repeat(self, call: Callable[..., Awaitable[object]], **kwargs: Any) -> None:
        """Note what the error says, where a token stands in for what is no secret.

        There the locals of its frames hold the token, as they hold every name.
        """
        with pytest.raises(TollkeeperError) as failed:
            await call(**kwargs)
        self.places += [str(failed.value), repr(failed.value), vars(failed.value)]


@asynccontextmanager
async def observed(folder: Path, trail: Trail, **world: Any) -> AsyncIterator[World]:
    """Open a world with peppers that are canaries; look at everything when it is closed."""
    pepper = os.urandom(32).hex()
    trail.canaries.append(pepper)
    spans = folder / "spans.jsonl"
    options = {"key_pepper": Secret(pepper), "telemetry": f"jsonl://{spans}"}
    with recorded_logs() as logs:
        async with open_world(folder, options=options, **world) as opened:
            yield opened
            tk = opened.tk
            trail.places += [repr(tk), await tk.list_audit(account="acme")]
            trail.places += [tk.issue_key, tk.authenticate_key, tk.rotate_key, tk.revoke_key]
    trail.places += [logs, *filter(Path.exists, [spans])]


async def push_through(world: World, trail: Trail, clock: MemoryClock) -> None:
    """Take every way in which keys are refused."""
    tk, fails = world.tk, trail.fails
    first = await tk.issue_key(account="acme", scopes=CHAT, name="web")
    token = trail.issued(first)
    prefix, kid, _ = token[:-67], first.key.secrets[0].kid, token[-49:]
    wrong = trail.push(encode_token(prefix, kid, os.urandom(32)))
    unknown = trail.push(encode_token(prefix, "0" * 16, os.urandom(32)))
    foreign = trail.push(encode_token("other_live", kid, os.urandom(32)))
    await tk.authenticate_key(token)
    for kind in (str, Secret):
        for bad in (wrong, unknown, foreign, token[:-1], token + "\n", token.swapcase(), token * 2):
            await fails(tk.authenticate_key, kind(bad))
    await fails(tk.authenticate_key, [token])
    await fails(tk.authenticate_key, token.encode())

    for mistaken in ({"scopes": {token}}, {"name": f"{token}\n"}, {"account": f"{token} "}):
        given = {"account": "acme", "scopes": CHAT, **mistaken}
        await trail.does_not_repeat(tk.issue_key, **given)
    reader = Principal(account="acme", scopes=CHAT, key_id=first.key.id)
    await fails(tk.issue_key, account="acme", scopes={"a:b"}, issuer=reader)
    await fails(tk.rotate_key, account="acme", key_id=first.key.id, overlap=timedelta(days=8))
    for change in (tk.rotate_key, tk.revoke_key):
        await trail.does_not_repeat(change, account="acme", key_id=token)
        await fails(change, account="other", key_id=first.key.id)

    second = await tk.rotate_key(account="acme", key_id=first.key.id, overlap=timedelta(hours=1))
    renewed = trail.issued(second)
    clock.advance(timedelta(hours=1))
    await fails(tk.authenticate_key, token)
    await tk.revoke_key(account="acme", key_id=first.key.id)
    await fails(tk.authenticate_key, renewed)
    await fails(tk.rotate_key, account="acme", key_id=first.key.id)
    short = await tk.issue_key(account="acme", scopes=CHAT, expires_in=timedelta(hours=1))
    clock.advance(timedelta(hours=1))
    await fails(tk.authenticate_key, trail.issued(short))
    trail.places.append(await tk.list_keys(account="acme"))


async def test_no_refusal_shows_a_token_or_a_pepper(tmp_path: Path) -> None:
    """Each refusal, on a store in memory (T23)."""
    trail, clock = Trail(), MemoryClock()
    async with observed(tmp_path, trail, clock=clock) as world:
        await push_through(world, trail, clock)
    assert {"unauthenticated", "key_rotated", "key_revoked", "key_expired"} <= set(trail.failed)
    assert_no_trace(trail.canaries, *trail.places)


async def test_no_file_holds_a_token_or_a_pepper(tmp_path: Path) -> None:
    """Each refusal, on SQLite, whose files are searched byte by byte (T23)."""
    trail, clock = Trail(), MemoryClock()
    store = f"sqlite:///{tmp_path}/keys.db"
    async with observed(tmp_path, trail, clock=clock, store=store) as world:
        await push_through(world, trail, clock)
        files = sqlite_files(tmp_path / "keys.db")
        assert len(files) > 1
        assert_no_trace(trail.canaries, *files)
    assert_no_trace(trail.canaries, *trail.places, *sqlite_files(tmp_path / "keys.db"))


@pytest.mark.parametrize("method", ["add", "replace", "get", "find", "list"])
async def test_no_outage_shows_a_token_or_a_pepper(tmp_path: Path, method: str) -> None:
    """A store that fails at each call, and repeats all that it was given (T23)."""
    trail, clock, keys = Trail(), MemoryClock(), FailingKeyStore()
    lent = {"key_store": keys, "audit_log": keys.store.audit_log}
    async with observed(tmp_path, trail, clock=clock, **lent) as world:
        tk = world.tk
        issued = [await tk.issue_key(account="acme", scopes=CHAT) for _ in range(4)]
        tokens = [trail.issued(each) for each in issued]
        kid = issued[0].key.secrets[0].kid
        wrong = trail.push(encode_token(tokens[0][:-67], kid, os.urandom(32)))
        keys.broken = {method}
        calls: dict[str, list[Call]] = {
            "add": [lambda: tk.issue_key(account="acme", scopes=CHAT)],
            "replace": [
                lambda: tk.rotate_key(account="acme", key_id=issued[0].key.id),
                lambda: tk.revoke_key(account="acme", key_id=issued[1].key.id),
            ],
            "get": [
                lambda: tk.rotate_key(account="acme", key_id=issued[0].key.id),
                lambda: tk.revoke_key(account="acme", key_id=issued[1].key.id),
            ],
            "find": [
                lambda: tk.authenticate_key(tokens[2]),
                lambda: tk.authenticate_key(Secret(tokens[3])),
                lambda: tk.authenticate_key(wrong),
            ],
            "list": [lambda: tk.list_keys(account="acme")],
        }
        for call in calls[method]:
            await trail.fails(call)
    assert set(keys.calls) == {method}
    assert set(trail.failed) == {"unavailable"}
    assert_no_trace(trail.canaries, *trail.places)


async def test_the_search_would_find_what_it_looks_for(tmp_path: Path) -> None:
    """The same search finds a token that a careless host puts into a name (T23)."""
    trail, clock = Trail(), MemoryClock()
    async with observed(tmp_path, trail, clock=clock) as world:
        token = trail.issued(await world.tk.issue_key(account="acme", scopes=CHAT))
        trail.places.append(await world.tk.issue_key(account="acme", scopes=CHAT, name=token))
    with pytest.raises(AssertionError, match="a canary is shown by"):
        assert_no_trace(trail.canaries, *trail.places)
