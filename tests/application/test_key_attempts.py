"""Keys that are no good are settled in little memory, and too many of them are stopped."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.application.key_worlds import WatchedKeyStore
from tests.application.world import PEPPER, open_world, settings_in
from tollkeeper import IssuedKey, Tollkeeper, open_tollkeeper
from tollkeeper.adapters.memory.store import MemoryStore
from tollkeeper.domain.errors import RateLimited, Unauthenticated, Unavailable
from tollkeeper.domain.key_tokens import encode_kid, encode_token
from tollkeeper.domain.rate_limits import RateLimit

pytestmark = pytest.mark.anyio
KNOWN: dict[str, Any] = {"key_cache_ttl": timedelta(seconds=30), "key_pepper": PEPPER}
ADDRESS = "203.0.113.7"


async def issued(tk: Tollkeeper) -> IssuedKey:
    return await tk.issue_key(account="acme", scopes={"chat:complete"})


def a_token(number: int) -> str:
    return encode_token("tk_test", encode_kid(number.to_bytes(10)), bytes(32))


async def test_an_unknown_key_is_asked_for_once(tmp_path: Path) -> None:
    async with open_world(tmp_path) as world:
        auth = world.tk.authenticate_key
        for _ in range(5):
            with pytest.raises(Unauthenticated):
                await auth(a_token(1))
        assert auth.reads.reads == 1


async def test_a_flood_of_unknown_keys_takes_no_room_from_the_good_ones(tmp_path: Path) -> None:
    """Memory is bounded, and keys that are known stay known (T14)."""
    options = {**KNOWN, "attempts_overall": RateLimit.parse("1000000/second")}
    async with open_world(tmp_path, options=options) as world:
        key, auth = await issued(world.tk), world.tk.authenticate_key
        await auth(key.token)
        for number in range(15_000):
            with pytest.raises(Unauthenticated):
                await auth(a_token(number))
        assert auth.reads.known.absent <= auth.reads.known.most_absent == 10_000
        assert auth.attempts.buckets <= 20_000
        reads = auth.reads.reads
        await auth(key.token)
        assert auth.reads.reads == reads


async def test_wrong_secrets_are_settled_without_the_store_and_limited(tmp_path: Path) -> None:
    async with open_world(tmp_path) as world:
        key, auth = await issued(world.tk), world.tk.authenticate_key
        await auth(key.token)
        wrong = encode_token("tk_test", key.key.secrets[0].kid, b"\1" * 32)
        answers = []
        for _ in range(80):
            try:
                await auth(wrong, client_address=ADDRESS)
            except (Unauthenticated, RateLimited) as refused:
                answers.append(type(refused))
        assert answers == [Unauthenticated] * 60 + [RateLimited] * 20
        assert auth.reads.reads == 1
        await auth(key.token, client_address=ADDRESS)  # whoever has the key still comes in


async def test_who_tries_on_through_an_outage_is_not_shut_out(tmp_path: Path) -> None:
    """An attempt that the store could not settle is given back."""
    store = MemoryStore()
    watched = WatchedKeyStore(store.key_store)
    options = {**KNOWN, "attempts_per_client": RateLimit.parse("3/hour")}
    settings = settings_in(tmp_path, **options)
    async with open_tollkeeper(settings, store=store, key_store=watched) as tk:
        key = await issued(tk)
        watched.error = Unavailable("away", port="store", adapter="memory")
        for _ in range(20):
            with pytest.raises(Unavailable):
                await tk.authenticate_key(key.token, client_address=ADDRESS)
        assert tk.authenticate_key.attempts.buckets == 0
        watched.error = None
        principal = await tk.authenticate_key(key.token, client_address=ADDRESS)
        assert principal.key_id == key.key.id


async def test_a_network_that_tries_many_keys_is_stopped_and_no_other(tmp_path: Path) -> None:
    options = {**KNOWN, "attempts_per_client": RateLimit.parse("3/hour")}
    async with open_world(tmp_path, options=options) as world:
        key, auth = await issued(world.tk), world.tk.authenticate_key
        answers = []
        for number in range(40):
            try:
                await auth(a_token(number), client_address=ADDRESS)
            except (Unauthenticated, RateLimited) as refused:
                answers.append(type(refused))
        assert answers == [Unauthenticated] * 30 + [RateLimited] * 10
        assert auth.reads.reads == 30
        await auth(key.token, client_address="198.51.100.7")


async def test_where_nothing_is_kept_a_wrong_secret_is_settled_without_the_store(
    tmp_path: Path,
) -> None:
    """A kid has one token: once it was shown, no other has to be looked up."""
    options = {**KNOWN, "key_cache_ttl": timedelta(0)}
    async with open_world(tmp_path, options=options) as world:
        key, auth = await issued(world.tk), world.tk.authenticate_key
        await auth(key.token, client_address=ADDRESS)
        wrong = encode_token("tk_test", key.key.secrets[0].kid, b"\1" * 32)
        answers = []
        for _ in range(80):
            with pytest.raises((Unauthenticated, RateLimited)) as refused:
                await auth(wrong, client_address=ADDRESS)
            answers.append(refused.type)
        assert answers == [Unauthenticated] * 60 + [RateLimited] * 20
        assert auth.reads.reads == 1
        await auth(key.token, client_address=ADDRESS)  # whoever has the key still comes in
        assert auth.reads.reads == 2
        await world.tk.revoke_key(account="acme", key_id=key.key.id)
        with pytest.raises(Unauthenticated):
            await auth(key.token, client_address=ADDRESS)
