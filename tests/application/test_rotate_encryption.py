"""Rotating the keys that encrypt: everything stays readable, and the old keys can go."""

import asyncio
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve

from tests.adapters.aws_sources import kept_client
from tests.application.credential_worlds import CredentialWorld, keyring_in, open_credentials
from tests.application.raw_stores import KINDS, RawMemory, RawStore, raw_store
from tests.application.world import settings_in
from tests.servers.aws_front import shared_front
from tests.servers.aws_server import aws_client, shared_aws_url
from tollkeeper import Secret, open_tollkeeper
from tollkeeper.adapters.aws.key_encryption import AwsKeyEncryption
from tollkeeper.adapters.cryptography.keyring_file import add_primary, disable_key
from tollkeeper.application.rotate_encryption import RotationReport
from tollkeeper.contracts.samples import new_id
from tollkeeper.domain.encryption import DataKeyState
from tollkeeper.domain.errors import Conflict, NotFound, PortError

pytestmark = pytest.mark.anyio
LABELS = tuple(f"label {number}" for number in range(4))


@pytest.fixture(params=KINDS)
def raw(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Any]:
    with raw_store(request.param, tmp_path) as store:
        yield store


async def _filled(world: CredentialWorld, accounts: int = 2) -> dict[CredentialWorld, list[str]]:
    """Let each of some accounts keep a credential under each label; its text is the label's."""
    worlds = [world] + [
        CredentialWorld(world.tk, world.models, new_id("account")) for _ in range(accounts - 1)
    ]
    return {w: [await w.store(_text(label), label=label) for label in LABELS] for w in worlds}


def _text(label: str) -> str:
    return f"sk-{label.replace(' ', '-')}"


async def _check_readable(world: CredentialWorld, stored: list[str]) -> None:
    assert [await world.load(each) for each in stored] == [_text(label) for label in LABELS]


async def _keks(world: CredentialWorld) -> set[str]:
    return {
        key.wrapped.kek_id
        for key in await world.data_keys()
        if key.state is not DataKeyState.DESTROYED
    }


async def test_a_new_key_encryption_key_wraps_every_data_key(raw: RawStore, tmp_path: Path) -> None:
    """Values are readable all the time, and after it without the old one (T22)."""
    ring = keyring_in(tmp_path)
    async with open_credentials(tmp_path, raw) as world:
        kept = await _filled(world)
        [old] = await _keks(world)
        assert await world.tk.rotate_encryption() == RotationReport(data_keys=2)
        new = add_primary(ring, at=datetime.now(UTC))
        rows = [await w.row(each) for w in kept for each in kept[w]]
        heard: list[RotationReport] = []
        async with open_credentials(tmp_path, raw, account=world.account) as during:

            def hear(report: RotationReport) -> None:
                heard.append(report)

            await _check_readable(during, kept[world])
            report = await during.tk.rotate_encryption(progress=hear, actor="ops:ann")
        assert report == RotationReport(data_keys=2, rewrapped=2)
        assert [each.rewrapped for each in heard] == [1, 2]
        assert [await w.row(each) for w in kept for each in kept[w]] == rows
        for each in kept:
            assert await _keks(each) == {new}
            await _check_readable(each, kept[each])
            entries = await world.tk.list_audit(account=each.account)
            assert (entries[-1].action, entries[-1].actor) == ("data_key.rewrapped", "ops:ann")
            assert entries[-1].details == {"kek": new}
            assert (await world.tk.verify_audit(account=each.account)).ok
        assert await world.tk.rotate_encryption() == RotationReport(data_keys=2)
        disable_key(ring, old)
    async with open_credentials(tmp_path, raw, account=world.account) as later:
        for each in kept:
            again = CredentialWorld(later.tk, later.models, each.account)
            await _check_readable(again, kept[each])


async def test_an_alias_of_kms_that_moves_wraps_every_data_key(
    raw: RawStore, tmp_path: Path
) -> None:
    """KMS does it itself: no data key leaves it in the clear (T22)."""
    kms, front = aws_client("kms", shared_aws_url()), shared_front()
    arns = [kms.create_key()["KeyMetadata"]["Arn"] for _ in range(2)]
    alias = f"alias/test/{uuid.uuid4().hex}"
    kms.create_alias(AliasName=alias, TargetKeyId=arns[0])
    keeper = AwsKeyEncryption(kept_client("kms", "key_encryption", front.url), alias)
    async with keeper, open_credentials(tmp_path, raw, key_encryption=keeper) as world:
        kept = await _filled(world)
        assert [await _keks(each) for each in kept] == [{arns[0]}] * 2
        kms.update_alias(AliasName=alias, TargetKeyId=arns[1])
        assert (await world.tk.rotate_encryption()).rewrapped == 2
        assert [await _keks(each) for each in kept] == [{arns[1]}] * 2
        assert (await world.tk.rotate_encryption()).rewrapped == 0
        kms.disable_key(KeyId=arns[0].rpartition("/")[2])
        front.disabled.add(arns[0])  # which moto itself does not refuse
        for each in kept:
            assert world.tk.rotate_encryption.data_keys is not None
            world.tk.rotate_encryption.data_keys.forget(each.account)
            await _check_readable(each, kept[each])


async def test_new_data_keys_take_over_every_value(raw: RawStore, tmp_path: Path) -> None:
    """Each value is under the new data key in the end, and the old ones are destroyed (T22)."""
    async with open_credentials(tmp_path, raw) as world:
        kept = await _filled(world)
        old = {key.id for each in kept for key in await each.data_keys()}
        heard: list[RotationReport] = []
        report = await world.tk.rotate_encryption(new_data_keys=True, progress=heard.append)
        assert report == RotationReport(data_keys=2, replaced=2, values=8, destroyed=2)
        assert [each.values for each in heard] == sorted(each.values for each in heard)
        assert {each.values for each in heard} == set(range(1, 9))
        for each, stored in kept.items():
            by_id = {key.id: key.state for key in await each.data_keys()}
            assert sorted(by_id.values()) == ["destroyed", "primary"]
            under = {(await each.row(one)).data_key_id for one in stored}
            assert [by_id[one] for one in under] == ["primary"]
            await _check_readable(each, stored)
            assert {await _version(each, one) for one in stored} == {2}
        for one in old:
            assert await world.tk.rotate_encryption.credential_store.encrypted_with(one) == ()
    async with open_credentials(tmp_path, raw, account=world.account) as later:
        await _check_readable(later, kept[world])
        assert (await later.tk.verify_audit(account=world.account)).ok


async def _version(world: CredentialWorld, stored: str) -> int:
    return (await world.row(stored)).version


async def test_a_data_key_is_not_destroyed_while_values_need_it(
    raw: RawStore, tmp_path: Path
) -> None:
    """Neither by hand, nor by a rotation that cannot read one of the values (T22)."""
    async with open_credentials(tmp_path, raw) as world:
        stored = (await _filled(world, accounts=1))[world]
        [key] = await world.data_keys()
        rotation = world.tk.rotate_encryption
        with pytest.raises(Conflict) as refused:
            await rotation.trail.record(
                lambda audit: rotation.data_key_store.destroy(
                    account=world.account, data_key_id=key.id, audit=audit
                ),
                account=world.account,
                actor="test",
                action="data_key.destroyed",
                subject=key.id,
            )
        assert refused.value.code == "data_key_in_use"
        row = await world.row(stored[0])
        await raw.write_credential(
            evolve(row, sealed=row.sealed[:-1] + bytes([row.sealed[-1] ^ 1]))
        )
        new = add_primary(keyring_in(tmp_path), at=datetime.now(UTC))
    async with open_credentials(tmp_path, raw, account=world.account) as later:
        report = await later.tk.rotate_encryption(new_data_keys=True)
        # What is damaged holds up nothing else; its key is kept, and is under the new one.
        assert report.unreadable == (stored[0],)
        assert (report.values, report.destroyed, report.rewrapped) == (3, 0, 1)
        assert await _keks(later) == {new}
        for each, label in list(zip(stored, LABELS, strict=True))[1:]:
            assert await later.load(each) == _text(label)
        await raw.write_credential(row)
        assert await later.load(stored[0]) == _text(LABELS[0])
        report = await later.tk.rotate_encryption()
        assert (report.unreadable, report.values, report.destroyed) == ((), 1, 1)
        await _check_readable(later, stored)


async def test_a_data_key_that_was_damaged_holds_up_no_other(raw: RawStore, tmp_path: Path) -> None:
    async with open_credentials(tmp_path, raw) as world:
        kept = await _filled(world)
        other = next(each for each in kept if each is not world)
        [key] = await world.data_keys()
        [foreign] = await other.data_keys()
        await raw.write_data_key(evolve(key, wrapped=foreign.wrapped))
        new = add_primary(keyring_in(tmp_path), at=datetime.now(UTC))
        report = await world.tk.rotate_encryption()
        assert (report.rewrapped, report.unreadable) == (1, (key.id,))
        assert await _keks(other) == {new}
        await _check_readable(other, kept[other])


@pytest.mark.parametrize("processes", [1, 2])
async def test_who_writes_and_reads_meanwhile_loses_nothing(
    raw: RawStore, tmp_path: Path, processes: int
) -> None:
    """Stores, replacements, removals and reads during two rotations, in two processes (T22)."""
    async with (
        open_credentials(tmp_path, raw) as world,
        open_credentials(tmp_path, raw, account=world.account) as other,
    ):
        writers = [world, other][:processes]
        expected: dict[str, str] = {}
        done = asyncio.Event()

        async def write(number: int) -> None:
            me = writers[number % processes]
            for turn in range(4):
                label = f"{number} {turn}"
                stored = await me.store(f"sk-{number}-{turn}", label=label)
                assert await me.load(stored) == f"sk-{number}-{turn}"
                await me.own.replace(stored, secret=Secret(f"sk-{number}-{turn}-anew"))
                expected[stored] = f"sk-{number}-{turn}-anew"
                assert await me.load(stored) == expected[stored]
                if turn % 2:
                    await me.own.remove(stored)
                    del expected[stored]

        async def rotate(me: CredentialWorld) -> int:
            runs = 0
            while not done.is_set() or not runs:
                await me.tk.rotate_encryption(new_data_keys=True)
                runs += 1
                await asyncio.sleep(0.03)  # a store in memory lets nobody else have a turn
            return runs

        rotating = [asyncio.ensure_future(rotate(each)) for each in (world, other)]
        await asyncio.gather(*(write(number) for number in range(4)))
        done.set()
        assert all(await asyncio.gather(*rotating))
        for each in (world, other):
            found = {one.id: await each.load(one.id) for one in await each.own.list()}
            assert found == expected
    async with open_credentials(tmp_path, raw, account=world.account) as later:
        for _ in range(2):  # what another process wrote with a moment ago goes with the next run
            await later.tk.rotate_encryption()
        states = [key.state for key in await later.data_keys()]
        assert states.count(DataKeyState.READABLE) == 0
        assert {one.id: await later.load(one.id) for one in await later.own.list()} == expected
        assert (await later.tk.verify_audit(account=world.account)).ok


async def test_an_outage_breaks_off_and_the_next_run_goes_on(raw: RawStore, tmp_path: Path) -> None:
    ring = keyring_in(tmp_path)
    async with open_credentials(tmp_path, raw) as world:
        kept = await _filled(world)
        new = add_primary(ring, at=datetime.now(UTC))

        def lose_the_ring(_: RotationReport) -> None:
            ring.rename(ring.with_name("away"))

        with pytest.raises(PortError):
            await world.tk.rotate_encryption(progress=lose_the_ring)
        ring.with_name("away").rename(ring)
        assert sum([await _keks(each) == {new} for each in kept]) == 1
        assert (await world.tk.rotate_encryption()).rewrapped == 1
        for each in kept:
            assert await _keks(each) == {new}
            await _check_readable(each, kept[each])
        with pytest.raises(NotFound):
            await world.own.load("nobody")


async def test_who_cannot_open_a_data_key_makes_none_in_its_place(tmp_path: Path) -> None:
    """Another environment on the same store shuts out nobody."""
    raw = RawMemory()
    async with open_credentials(tmp_path, raw) as world:
        stored = await world.store("sk-one")
        keys = await world.data_keys()
        ring = f"keyring://{keyring_in(tmp_path)}"
        other = evolve(settings_in(tmp_path, key_encryption=ring), environment="staging")
        async with open_tollkeeper(other, **raw.lent) as elsewhere:
            report = await elsewhere.rotate_encryption(new_data_keys=True)
        assert report.unreadable == tuple(key.id for key in keys)
        assert (report.replaced, report.values) == (0, 0)
        assert await world.data_keys() == keys
        assert await world.load(stored) == "sk-one"
        await world.store("sk-two", label="two")
