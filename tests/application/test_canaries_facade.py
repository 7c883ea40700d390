"""No call of the whole facade shows a secret, whatever fails and wherever one looks (T23)."""

import asyncio
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import pytest
from attrs import fields

from tests.application.facade_canaries import ACCOUNT, PARTS, Guarded, open_guarded
from tests.application.facade_commands import commands
from tests.canary import RecordedLogs, assert_no_trace, recorded_logs, sqlite_files
from tollkeeper import Secret, Tollkeeper
from tollkeeper.domain.errors import TollkeeperError

pytestmark = pytest.mark.anyio
NO_SECRETS_NEAR = {
    *("cache", "locks", "events", "outbox", "broadcast", "tables"),
    *("price_book", "catalogue", "parts"),
}
"""What of the facade is the host's own data, or no call."""
CALLS_OF_STORE = {
    *("key_store.add", "key_store.replace", "key_store.remove", "key_store.find"),
    *("key_store.get", "key_store.list", "key_store.page", "quota_counter.used"),
    *("credential_store.add", "credential_store.replace", "credential_store.get"),
    *("data_key_store.primary_of", "data_key_store.get", "audit_log.head", "audit_log.entries"),
    *("ledger.place_hold", "ledger.grant", "plan_store.put"),
}


async def failure(call: Any, given: dict[str, Any]) -> TollkeeperError | None:
    try:
        await call(**given)
    except TollkeeperError as error:
        return error
    return None


async def look_everywhere(guarded: Guarded, folder: Path, logs: RecordedLogs) -> None:
    """Look for every secret in all that the facade showed, said and wrote."""
    tk, places = guarded.tk, guarded.places
    places += [repr(tk), str(tk.parts), repr(guarded.settings), str(guarded.settings)]
    for account in (ACCOUNT, "*"):
        entries = await tk.list_audit(account=account, limit=1000)
        places.append(entries)
    places += [await tk.list_keys(account=ACCOUNT, limit=1000), await tk.check_health()]
    places += [logs, folder / "spans.jsonl", *sqlite_files(folder / "guarded.db")]
    assert len(sqlite_files(folder / "guarded.db")) > 1
    await asyncio.to_thread(assert_no_trace, guarded.canaries, *places)


async def test_every_call_is_made_to_fail(tmp_path: Path) -> None:
    async with open_guarded(tmp_path) as guarded:
        made = {name.partition(".")[0] for name in await commands(guarded)}
    assert made | NO_SECRETS_NEAR == {each.name for each in fields(Tollkeeper)}


async def test_no_bad_argument_shows_a_secret(tmp_path: Path) -> None:
    """Every argument of every call, with what it cannot be: a typed error that shows nothing."""
    with recorded_logs() as logs:
        async with open_guarded(tmp_path) as guarded:
            failed: dict[str, int] = defaultdict(int)
            for name in await commands(guarded):
                call, given = (await commands(guarded))[name]
                secret = guarded.hide(Secret(f"sk-argument-{guarded.made:040}"))
                for argument in given:
                    for bad in (secret, {"a": [secret]}, "a\0b"):
                        error = await failure(call, {**given, argument: bad})
                        if error is not None:
                            failed[name] += 1
                            guarded.places.append(error)
            assert all(
                failed[name] for name, (_, given) in (await commands(guarded)).items() if given
            )
            await asyncio.sleep(0.3)  # the spans are written by a thread of their own
            await look_everywhere(guarded, tmp_path, logs)


async def test_no_outage_of_the_store_shows_a_secret(tmp_path: Path) -> None:
    """Each call to the store fails, after its work, in each call of the facade that makes it."""
    with recorded_logs() as logs:
        async with open_guarded(tmp_path) as guarded:
            outage = guarded.outage
            makes: dict[str, set[str]] = {}
            for name in await commands(guarded):
                call, given = (await commands(guarded))[name]
                outage.calls.clear()
                error = await failure(call, given)
                guarded.places += [error] if error else []
                makes[name] = set(outage.calls)
            broken: set[str] = set()
            times: Counter[str] = Counter()  # once each would do; more only take their time
            for name, methods in makes.items():
                for method in sorted(methods):
                    if times[method]:
                        continue
                    call, given = (await commands(guarded))[name]
                    outage.broken = method
                    error = await failure(call, given)
                    outage.broken = ""
                    if error is not None:
                        broken.add(method)
                        times[method] += 1
                        guarded.places.append(error)
            assert {each.partition(".")[0] for each in broken} <= set(PARTS)
            assert broken >= CALLS_OF_STORE, CALLS_OF_STORE - broken
            await asyncio.sleep(0.3)
            await look_everywhere(guarded, tmp_path, logs)


async def test_the_search_finds_what_a_careless_host_writes(tmp_path: Path) -> None:
    """The same search, of each secret, where a host writes it into a name."""
    with recorded_logs() as logs:
        async with open_guarded(tmp_path) as guarded:
            await commands(guarded)
            secrets = list(guarded.canaries)
            for secret in secrets:
                await guarded.tk.issue_key(account=ACCOUNT, scopes={"a:b"}, name=secret)
                guarded.canaries[:] = [secret]
                with pytest.raises(AssertionError, match="a canary is shown by"):
                    await look_everywhere(guarded, tmp_path, logs)
