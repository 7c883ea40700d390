"""Credentials that accounts keep here: encrypted, for their owner alone, and bound to a place."""

from collections.abc import Awaitable, Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.application.credential_worlds import SCOPES, CredentialWorld, open_credentials
from tests.application.raw_stores import KINDS, RawStore, raw_store
from tests.canary import assert_no_trace
from tollkeeper import Principal, Secret
from tollkeeper.adapters.memory.clock import MemoryClock
from tollkeeper.application.account_credentials import AccountCredentials
from tollkeeper.contracts.samples import new_id
from tollkeeper.domain.errors import (
    ConfigurationError,
    Conflict,
    InvalidRequest,
    NotFound,
    PermissionDenied,
    TollkeeperError,
    Unsupported,
)

pytestmark = pytest.mark.anyio
OLD, NEW = "sk-canary-0123456789abcdef-old", "sk-canary-fedcba9876543210-new"


@pytest.fixture(scope="module", params=KINDS)
def raw(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    with raw_store(request.param, tmp_path_factory.mktemp("credentials")) as store:
        yield store


def operations(own: AccountCredentials, credential_id: str) -> dict[str, Callable[[], Any]]:
    """Every operation, by the scope that it needs."""
    return {
        "credentials:read list": lambda: own.list(),
        "credentials:read list after": lambda: own.list(after=credential_id),
        "credentials:use load": lambda: own.load(credential_id),
        "credentials:write store": lambda: own.store(provider="tokens", secret=Secret(NEW)),
        "credentials:write replace": lambda: own.replace(credential_id, secret=Secret(NEW)),
        "credentials:write remove": lambda: own.remove(credential_id),
    }


async def refusal(call: Awaitable[object]) -> TollkeeperError:
    with pytest.raises(TollkeeperError) as refused:
        await call
    return refused.value


async def test_a_secret_that_was_stored_is_the_one_that_is_sent(
    raw: RawStore, tmp_path: Path
) -> None:
    async with open_credentials(tmp_path, raw) as world:
        kept = await world.own.store(provider="tokens", secret=Secret(OLD))
        assert (kept.provider, kept.base_url) == ("tokens", "https://one.example")
        assert (kept.account, kept.label, kept.version) == (world.account, "default", 1)
        credential = await world.own.load(kept.id)
        assert await world.call_with(credential) == OLD
        await world.own.replace(kept.id, secret=Secret(NEW))
        assert await world.call_with(await world.own.load(kept.id)) == NEW
        assert (await world.row(kept.id)).version == 2
        gone = await world.own.remove(kept.id)
        assert gone.id == kept.id
        assert isinstance(await refusal(world.own.load(kept.id)), NotFound)
        assert await world.actions() == [
            "data_key.created",
            "credential.stored",
            "credential.replaced",
            "credential.removed",
        ]
        assert (await world.tk.verify_audit(account=world.account)).ok


async def test_another_process_reads_what_one_has_stored(raw: RawStore, tmp_path: Path) -> None:
    async with open_credentials(tmp_path, raw) as world:
        stored = await world.store(OLD, provider="vectors", port="embedder")
    async with open_credentials(tmp_path, raw, account=world.account) as other:
        credential = await other.own.load(stored)
        assert credential.secret.reveal() == OLD
        assert (credential.provider, credential.base_url) == ("vectors", "https://three.example")
        host = other.tk.credentials.of_account(world.account, actor="ops:ann")
        await host.remove(stored)
        entries = await other.tk.list_audit(account=world.account)
        assert (entries[-1].action, entries[-1].actor) == ("credential.removed", "ops:ann")


async def test_a_caller_needs_the_scope_of_each_operation(raw: RawStore, tmp_path: Path) -> None:
    async with open_credentials(tmp_path, raw) as world:
        stored = await world.store(OLD, label="kept")
        for name in operations(world.own, stored):
            scope = name.split()[0]
            lesser = Principal(world.account, SCOPES - {scope}, key_id="key_1")
            call = operations(world.tk.credentials.of(lesser), stored)[name]
            refused = await refusal(call())
            assert isinstance(refused, PermissionDenied), name
            assert refused.code == "missing_scope"
            assert scope in str(refused)
        assert await world.load(stored) == OLD
        assert [each.id for each in await world.own.list()] == [stored]
        # With that scope alone each of them works; what takes away comes last.
        for name in operations(world.own, stored):
            one = Principal(world.account, frozenset({name.split()[0]}), key_id="key_1")
            await operations(world.tk.credentials.of(one), stored)[name]()
        actors = {entry.actor for entry in await world.tk.list_audit(account=world.account)}
        assert actors == {"tollkeeper", f"account:{world.account}", "key:key_1"}


async def test_what_is_another_accounts_is_not_there(raw: RawStore, tmp_path: Path) -> None:
    """Each operation with another's id gets the answer to an id that nobody has (T7)."""
    async with open_credentials(tmp_path, raw) as world:
        stored = await world.store(OLD)
        other = world.tk.credentials.of(Principal(new_id("account"), SCOPES))
        for name, call in operations(other, stored).items():
            if name.split(maxsplit=1)[1] in ("list", "store"):
                continue
            refused = await refusal(call())
            nobody = await refusal(operations(other, "cred_of_nobody")[name]())
            assert isinstance(refused, NotFound), name
            assert (refused.code, str(refused)) == (nobody.code, str(nobody))
            assert refused.code == "credential_not_found"
        assert await other.list() == ()
        assert await world.load(stored) == OLD
        assert "credential.removed" not in await world.actions()


async def test_a_list_shows_places_and_no_secret(raw: RawStore, tmp_path: Path) -> None:
    async with open_credentials(tmp_path, raw) as world:
        stored = [await world.store(OLD, label=f"label {n}") for n in range(5)]
        found = await world.own.list(limit=2)
        while page := await world.own.list(limit=2, after=found[-1].id):
            found += page
        assert [each.id for each in found] == stored
        assert [each.label for each in found] == [f"label {n}" for n in range(5)]
        assert_no_trace([OLD], found)
        for limit in (0, 1001, "2", True):
            wrong: Any = limit
            assert isinstance(await refusal(world.own.list(limit=wrong)), InvalidRequest)


async def test_a_label_is_taken_once_for_each_provider_and_account(
    raw: RawStore, tmp_path: Path
) -> None:
    async with open_credentials(tmp_path, raw) as world:
        stored = await world.store(OLD)
        refused = await refusal(world.store(NEW))
        assert isinstance(refused, Conflict)
        assert refused.code == "credential_exists"
        assert await world.load(stored) == OLD
        assert await world.load(await world.store(NEW, label="second")) == NEW
        assert await world.load(await world.store(NEW, provider="spare")) == NEW
        other = world.tk.credentials.of_account(new_id("account"))
        await other.store(provider="tokens", secret=Secret(NEW))
        await world.own.remove(stored)
        assert await world.load(await world.store(NEW)) == NEW


@pytest.mark.parametrize(
    ("wrong", "kind", "code"),
    [
        ({"provider": "nobody"}, NotFound, "provider_unknown"),
        ({"provider": "plain"}, Unsupported, "credential_not_taken"),
        ({"provider": ""}, TollkeeperError, ""),
        ({"provider": None}, TollkeeperError, ""),
        ({"provider": ["tokens"]}, TollkeeperError, ""),
        ({"port": "mail"}, InvalidRequest, ""),
        ({"port": "embedder"}, NotFound, "provider_unknown"),
        ({"secret": Secret("")}, InvalidRequest, "empty_credential"),
        ({"secret": Secret("sk with blanks")}, InvalidRequest, "invalid_credential"),
        ({"secret": Secret("sk-line\n")}, InvalidRequest, "invalid_credential"),
        ({"secret": OLD}, InvalidRequest, "empty_credential"),
        ({"secret": OLD.encode()}, InvalidRequest, "empty_credential"),
        ({"secret": None}, InvalidRequest, "empty_credential"),
        ({"label": ""}, InvalidRequest, ""),
        ({"label": "x" * 65}, InvalidRequest, ""),
        ({"label": "two\nlines"}, InvalidRequest, ""),
        ({"label": 5}, InvalidRequest, ""),
    ],
    ids=str,
)
async def test_what_cannot_be_a_credential_is_refused_and_nothing_is_kept(
    tmp_path: Path, wrong: dict[str, Any], kind: type[TollkeeperError], code: str
) -> None:
    with raw_store("memory", tmp_path) as raw:
        async with open_credentials(tmp_path, raw) as world:
            given = {"provider": "tokens", "secret": Secret(NEW), **wrong}
            refused = await refusal(world.own.store(**given))
            assert isinstance(refused, kind)
            assert refused.code == code or not code
            assert_no_trace([OLD, NEW], refused)
            assert await world.own.list() == ()
            assert await world.actions() == []
            if "secret" in wrong:
                stored = await world.store(NEW)
                refused = await refusal(world.own.replace(stored, secret=wrong["secret"]))
                assert isinstance(refused, kind)
                assert_no_trace([OLD, NEW], refused)
                assert await world.load(stored) == NEW


@pytest.mark.parametrize("wrong", [None, 5, "", b"cred", ["cred"], "a\nb", "x" * 5000], ids=repr)
async def test_what_is_no_id_is_nobodys(tmp_path: Path, wrong: Any) -> None:
    with raw_store("memory", tmp_path) as raw:
        async with open_credentials(tmp_path, raw) as world:
            for call in (world.own.load(wrong), world.own.remove(wrong)):
                assert isinstance(await refusal(call), NotFound | InvalidRequest)
            for account in (None, "", 5):
                malformed: Any = account
                with pytest.raises(InvalidRequest):
                    world.tk.credentials.of_account(malformed)
                with pytest.raises(InvalidRequest):
                    world.tk.credentials.of(malformed)


async def test_without_keys_to_encrypt_with_nothing_is_written(
    raw: RawStore, tmp_path: Path
) -> None:
    async with open_credentials(tmp_path, raw) as world:
        stored = await world.store(OLD)
    before = await _state(world, raw, tmp_path)
    async with open_credentials(
        tmp_path, raw, account=world.account, key_encryption=None
    ) as without:
        for call in (
            without.own.store(provider="tokens", secret=Secret(NEW), label="second"),
            without.own.replace(stored, secret=Secret(NEW)),
            without.own.load(stored),
        ):
            refused = await refusal(call)
            assert isinstance(refused, ConfigurationError)
            assert "tollkeeper secrets keyring new" in str(refused)
            assert_no_trace([OLD, NEW], refused)
        assert [each.id for each in await without.own.list()] == [stored]
        with pytest.raises(ConfigurationError, match="key_encryption"):
            await without.tk.rotate_encryption()
    assert await _state(world, raw, tmp_path) == before


async def _state(world: CredentialWorld, raw: RawStore, folder: Path) -> object:
    async with open_credentials(folder, raw, account=world.account) as now:
        return await now.own.list(), await now.data_keys(), await now.actions()


async def test_a_data_key_gets_old_and_values_under_it_stay_readable(
    raw: RawStore, tmp_path: Path
) -> None:
    clock = MemoryClock()
    async with open_credentials(tmp_path, raw, clock=clock) as world:
        first = await world.store(OLD)
        clock.advance(timedelta(days=366))
        second = await world.store(NEW, label="second")
        keys = {await _key_of(world, each) for each in (first, second)}
        assert len(keys) == len(await world.data_keys()) == 2
        assert [await world.load(each) for each in (first, second)] == [OLD, NEW]


async def _key_of(world: CredentialWorld, credential_id: str) -> str:
    return (await world.row(credential_id)).data_key_id
