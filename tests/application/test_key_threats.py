"""Threats to keys and their defences, one by one; the numbers are those of the threat model."""

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve, fields
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.application.key_worlds import Exploding, Fuse
from tests.application.world import PEPPER, open_world, settings_in
from tollkeeper import Principal, Tollkeeper, open_tollkeeper, user
from tollkeeper.adapters.memory.clock import MemoryClock
from tollkeeper.adapters.memory.rate_limiter import MemoryRateLimiter
from tollkeeper.adapters.memory.store import MemoryStore
from tollkeeper.application.account_credentials import AccountCredentials
from tollkeeper.application.own_keys import OwnKeys
from tollkeeper.domain.api_keys import ApiKey, IssuedKey
from tollkeeper.domain.errors import (
    NotFound,
    PermissionDenied,
    QuotaExceeded,
    RateLimited,
    TollkeeperError,
    Unauthenticated,
)
from tollkeeper.domain.key_limits import KeyLimit, Quota
from tollkeeper.domain.key_tokens import encode_kid, encode_token

pytestmark = pytest.mark.anyio
CHAT = {"chat:complete"}
MANAGER = frozenset({"keys:read", "keys:write", "chat:complete"})
SECOND = timedelta(seconds=1)


def wrong_secret(issued: IssuedKey) -> str:
    return encode_token("tk_test", issued.key.secrets[0].kid, b"\1" * 32)


def shown(error: TollkeeperError) -> tuple[Any, ...]:
    """All that a host can answer with."""
    return type(error), error.code, error.public_message, str(error), repr(error), error.args


async def refusal(call: Awaitable[object]) -> TollkeeperError:
    with pytest.raises(TollkeeperError) as refused:
        await call
    return refused.value


async def test_malformed_unknown_and_wrong_get_one_answer(tmp_path: Path) -> None:
    """Enumeration by answer (T3)."""
    async with open_world(tmp_path) as world:
        tk = world.tk
        issued = await tk.issue_key(account="acme", scopes=CHAT)
        foreign = encode_token("tk_live", issued.key.secrets[0].kid, bytes(32))
        unknown = encode_token("tk_test", encode_kid(bytes(10)), bytes(32))
        bad = ["", "Bearer x", issued.token.reveal()[:-1], foreign, unknown, wrong_secret(issued)]
        answers = {shown(await refusal(tk.authenticate_key(token))) for token in bad}
        assert len(answers) == 1
        # Also where the store is asked first, and where it is not.
        answers |= {shown(await refusal(tk.authenticate_key(token))) for token in bad}
        assert len(answers) == 1


async def test_reasons_are_told_to_who_has_the_token_alone(tmp_path: Path) -> None:
    async with open_world(tmp_path) as world:
        tk = world.tk
        for end in (tk.revoke_key, tk.disable_key):
            issued = await tk.issue_key(account="acme", scopes=CHAT)
            await end(account="acme", key_id=issued.key.id)
            told = await refusal(tk.authenticate_key(issued.token))
            assert told.code in ("key_revoked", "key_disabled")
            guessed = await refusal(tk.authenticate_key(wrong_secret(issued)))
            assert guessed.code == "unauthenticated"


OWN: dict[str, Callable[[OwnKeys, str], Awaitable[object]]] = {
    "get": lambda own, key_id: own.get(key_id),
    "quota_use": lambda own, key_id: own.quota_use(key_id),
    "list": lambda own, key_id: own.list(after=key_id),
    "update": lambda own, key_id: own.update(key_id, name="mine"),
    "disable": lambda own, key_id: own.disable(key_id),
    "enable": lambda own, key_id: own.enable(key_id),
    "revoke": lambda own, key_id: own.revoke(key_id),
    "delete": lambda own, key_id: own.delete(key_id),
    "rotate": lambda own, key_id: own.rotate(key_id),
}


async def test_what_is_another_tenants_is_not_there(tmp_path: Path) -> None:
    """Every operation on a foreign key: not found, as one that never was (T7)."""
    async with open_world(tmp_path) as world:
        theirs = (await world.tk.issue_key(account="globex", scopes=CHAT)).key
        own = world.tk.keys.of(Principal(account="acme", scopes=MANAGER))
        assert OWN.keys() | {"issue"} == {
            name for name, _ in inspect.getmembers(OwnKeys, inspect.iscoroutinefunction)
        }
        for name, call in OWN.items():
            answers = {
                shown(await refusal(call(own, key_id))) for key_id in (theirs.id, "key_never_was")
            }
            assert len(answers) == 1, name
            assert next(iter(answers))[0] is NotFound
        assert await world.tk.get_key(account="globex", key_id=theirs.id) == theirs
        assert len(await world.tk.list_audit(account="globex")) == 1
        # The use cases themselves take the word of an issuer over that of the account.
        issuer = Principal(account="acme", scopes=MANAGER)
        for use in (world.tk.get_key, world.tk.revoke_key, world.tk.rotate_key):
            foreign = await refusal(use(account="globex", key_id=theirs.id, issuer=issuer))
            assert isinstance(foreign, NotFound)


def test_no_command_of_a_caller_says_whose_it_is() -> None:
    """Owner and tenant come from the principal (T7)."""
    for view in (OwnKeys, AccountCredentials):
        for name, method in inspect.getmembers(view, inspect.iscoroutinefunction):
            named = set(inspect.signature(method).parameters)
            assert not named & {"account", "owner", "tenant", "issuer", "user", "actor"}, name
    owners = {"account", "owner", "tenant", "user_id"}
    from tollkeeper.domain.key_profiles import KeyProfile

    assert not owners & set(KeyProfile.__annotations__)
    assert "account" in {attribute.name for attribute in fields(ApiKey)}  # the names are right


SCOPES = ["chat:complete", "audio:transcribe", "mail:send", "keys:read", "keys:write"]
some_scopes = st.sets(st.sampled_from(SCOPES), min_size=1)


@given(held=some_scopes, asked=some_scopes, former=some_scopes)
@settings(max_examples=120, deadline=None, database=None, derandomize=True)
def test_nobody_gives_more_than_it_has(
    tmp_path_factory: pytest.TempPathFactory,
    held: set[str],
    asked: set[str],
    former: set[str],
) -> None:
    """At issue, at update and at rotation: success if, and only if, within its own (T8)."""

    async def run() -> None:
        async with open_world(tmp_path_factory.mktemp("t8"), credit="0") as world:
            tk, issuer = world.tk, Principal(account="acme", scopes=frozenset(held))
            own, may = tk.keys.of(issuer), "keys:write" in held
            key = (await tk.issue_key(account="acme", scopes=former)).key

            async def passes(call: Awaitable[object]) -> bool:
                try:
                    await call
                except PermissionDenied:
                    return False
                return True

            assert await passes(own.issue(scopes=asked)) is (may and asked <= held)
            fits = may and former <= held
            assert await passes(own.update(key.id, scopes=asked)) is (fits and asked <= held)
            now = await tk.get_key(account="acme", key_id=key.id)
            assert now.scopes == (asked if fits and asked <= held else former)
            fits = may and now.scopes <= held
            assert await passes(own.rotate(key.id)) is fits
            assert (await tk.get_key(account="acme", key_id=key.id)).scopes == now.scopes
            assert await passes(own.enable(key.id)) is fits
            assert await passes(own.disable(key.id)) is may

    asyncio.run(run())


async def test_both_secrets_of_a_key_share_its_limits(tmp_path: Path) -> None:
    """Rotation doubles neither rate nor quota, through the facade (T10)."""
    clock = MemoryClock()
    async with open_world(tmp_path, clock=clock, rate_limiter=MemoryRateLimiter(clock)) as world:
        tk = world.tk
        for bound in (
            {"limits": [KeyLimit.parse("10/hour")]},
            {"quota": Quota.parse("10/day")},
        ):
            first = await tk.issue_key(account="acme", scopes=CHAT, **bound)
            second = await tk.rotate_key(account="acme", key_id=first.key.id)
            passed = 0
            for token in [first.token, second.token] * 15:
                principal = await tk.authenticate_key(token)
                try:
                    await tk.complete(principal, model="offline/echo", messages=[user("hello")])
                except (RateLimited, QuotaExceeded):
                    continue
                passed += 1
            assert passed == 10


async def bad_key(tk: Tollkeeper, store: MemoryStore, clock: MemoryClock, kind: str) -> str:
    """Make a token that must not get in."""
    issued = await tk.issue_key(account="acme", scopes=CHAT, expires_in=SECOND)
    names: dict[str, Any] = {"account": "acme", "key_id": issued.key.id}
    if kind == "revoked":
        await tk.revoke_key(**names)
    elif kind == "disabled":
        await tk.disable_key(**names)
    elif kind == "expired":
        clock.advance(2 * SECOND)
    elif kind == "deleted":
        await tk.delete_key(**names)
    elif kind == "rotated":
        await tk.rotate_key(**names, compromised=True)
    elif kind == "networks":
        await tk.update_key(**names, networks=["203.0.113.0/24"])
    elif kind == "tampered":
        kept = store.database.keys[issued.key.id]
        store.database.keys[kept.id] = evolve(kept, scopes=frozenset({"admin:all"}))
    elif kind == "wrong":
        return wrong_secret(issued)
    return issued.token.reveal()


KINDS = ["revoked", "disabled", "expired", "deleted", "rotated", "networks", "tampered", "wrong"]


@pytest.mark.parametrize("kind", KINDS)
async def test_no_failure_of_a_port_lets_a_bad_key_in(tmp_path: Path, kind: str) -> None:
    """An exception at each call of each port, one after the other: never a principal (T28)."""
    at = 0
    while True:
        at += 1
        store, clock, fuse = MemoryStore(), MemoryClock(), Fuse()
        lent: dict[str, Any] = {
            "store": store,
            "key_store": Exploding(store.key_store, fuse, "key_store"),
            "audit_log": Exploding(store.audit_log, fuse, "audit_log"),
            "clock": Exploding(clock, fuse, "clock"),
        }
        async with open_tollkeeper(settings_in(tmp_path, key_pepper=PEPPER), **lent) as tk:
            token = await bad_key(tk, store, clock, kind)
            fuse.calls.clear()
            fuse.at = at
            with pytest.raises((TollkeeperError, RuntimeError)):
                await tk.authenticate_key(token)
            reached = len(fuse.calls) >= at
            fuse.at = 0
            with pytest.raises((Unauthenticated, PermissionDenied)):
                await tk.authenticate_key(token)
        if not reached:
            break
    assert at > (1 if kind == "wrong" else 2)


async def test_a_good_key_is_not_let_in_past_a_store_that_fails(tmp_path: Path) -> None:
    store, fuse = MemoryStore(), Fuse()
    lent: dict[str, Any] = {
        "store": store,
        "key_store": Exploding(store.key_store, fuse, "key_store"),
    }
    async with open_tollkeeper(settings_in(tmp_path, key_pepper=PEPPER), **lent) as tk:
        issued = await tk.issue_key(account="acme", scopes=CHAT)
        fuse.calls.clear()
        fuse.at = 1
        with pytest.raises(RuntimeError):
            await tk.authenticate_key(issued.token)
        assert fuse.calls == ["key_store.find"]
        assert (await tk.authenticate_key(issued.token)).key_id == issued.key.id
