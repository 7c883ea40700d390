"""A process of its own that works on a SQLite store, for tests that need more than one.

``python -m tests.adapters.sqlite_worker TASK FILE``; each task writes lines to standard output
when, and not before, what they say was acknowledged.
"""

import asyncio
import os
import resource
import sys
from pathlib import Path

from attrs import evolve

from tests.adapters.sqlite_calls import NOW, books, call, capture, grant, place, release
from tollkeeper.adapters.sqlite.store import SqliteStore
from tollkeeper.contracts.audit_log_chains import chain
from tollkeeper.contracts.samples import an_api_key, an_audit_entry, new_id, usd
from tollkeeper.domain.errors import InsufficientCredit, PortError, Unavailable
from tollkeeper.domain.key_limits import Quota


def tell(*words: object) -> None:
    """Write one line at once: what a buffer holds dies with the process."""
    os.write(1, (" ".join(map(str, words)) + "\n").encode())


def size_of_log(path: str) -> int:
    return Path(f"{path}-wal").stat().st_size


async def charge_on_and_on(path: str) -> None:
    """Grant and charge from many callers until somebody kills the process."""

    async def caller() -> None:
        while True:
            key = new_id("key")
            entry = await grant(store, usd("0.03"), key)
            tell("granted", entry.id)
            hold = await place(store, key)
            tell("placed", hold.id)
            entry = await capture(store, hold)
            tell("captured", hold.id, entry.id)
            hold = await place(store, f"{key} again")
            await release(store, hold)
            tell("released", hold.id)

    async with SqliteStore(path) as store:
        await asyncio.gather(*(caller() for _ in range(100)))


async def spend_everything(path: str) -> None:
    """Charge the account from many callers until its credit is used up."""
    async with SqliteStore(path) as store:
        tell("ready")
        await asyncio.to_thread(sys.stdin.readline)

        async def caller() -> int:
            calls = 0
            try:
                while True:
                    await call(store, new_id("key"))
                    calls += 1
            except InsufficientCredit:
                return calls

        tell("charged", sum(await asyncio.gather(*(caller() for _ in range(16)))))


async def open_and_charge(path: str) -> None:
    """Open the store when told to, and make one call."""
    tell("ready")
    await asyncio.to_thread(sys.stdin.readline)
    async with SqliteStore(path) as store:
        key = new_id("key")
        await grant(store, usd(1), key)
        await call(store, key)
        tell("charged")


async def issue_on_and_on(path: str) -> None:
    """Keep keys, and audit it, from many callers until somebody kills the process."""

    async def caller() -> None:
        while True:
            key = an_api_key("acme", at=NOW)
            audit = evolve(an_audit_entry("acme", at=NOW), subject=key.id)
            await store.key_store.add(key, audit=audit)
            tell("issued", key.id)

    async with SqliteStore(path) as store:
        await asyncio.gather(*(caller() for _ in range(20)))


async def chain_and_count(path: str) -> None:
    """Write chained entries and count calls when told to, beside other processes."""
    async with SqliteStore(path) as store:
        tell("ready")
        await asyncio.to_thread(sys.stdin.readline)
        taken = await asyncio.gather(
            *(store.quota_counter.take("key_1", Quota(100), at=NOW) for _ in range(60)),
            *(chain(store.audit_log, "acme", at=NOW) for _ in range(10)),
        )
        tell("took", sum(each is True for each in taken))


async def fork(path: str) -> None:
    """Use an opened store in a child, and go on using it in the parent."""
    async with SqliteStore(path) as store:
        await grant(store, usd(1), "before")
        child = os.fork()
        if child == 0:
            said = []
            for use in (grant(store, usd(1), "child"), store.usage_log.events(account="acme")):
                try:
                    use.send(None)
                except Unavailable as error:
                    said.append(error.public_message)
            tell(*said)
            os._exit(len(said))
        _, status = await asyncio.to_thread(os.waitpid, child, 0)
        await grant(store, usd(1), "after")
        tell("child", os.waitstatus_to_exitcode(status), "parent", (await books(store))[0])


async def run_out_of_space(path: str) -> None:
    """Let the file system refuse to make the log any longer, in the middle of commits."""
    async with SqliteStore(path) as store:
        await grant(store, usd(50))
        limits = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size_of_log(path) + 200_000, limits[1]))
        failed = []
        for n in range(100):
            keys = [f"{n} {m}" for m in range(20)]
            answers = await asyncio.gather(
                *(call(store, key) for key in keys), return_exceptions=True
            )
            for key, answer in zip(keys, answers, strict=True):
                if isinstance(answer, PortError):
                    failed.append(key)
                    kind = (type(answer).__name__, answer.retryable, answer.ambiguous)
                    if len(failed) == 1:
                        tell("failed", *kind)
                elif isinstance(answer, BaseException):
                    raise answer
            if failed:
                break
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        charged = 20 * (n + 1) - len(failed)
        await asyncio.gather(*(call(store, key) for key in failed))
        posted, held = await books(store)
        tell("charged", charged, len(failed), (usd(50) - posted).nanos // usd("0.01").nanos, held)


if __name__ == "__main__":
    asyncio.run(globals()[sys.argv[1]](sys.argv[2]))
