"""A signed report of leaked keys ends them, once; nothing else does."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from attrs import define, evolve, field

from tests.kit.broken_report_verifiers import SoundVerifier, sign
from tollkeeper.adapters.memory.clock import MemoryClock
from tollkeeper.application.report_leaked_keys import ReportLeakedKeys
from tollkeeper.domain.api_keys import ApiKey, KeySecret
from tollkeeper.domain.errors import InvalidRequest, Unauthenticated, Unavailable
from tollkeeper.domain.key_tokens import encode_kid, encode_token
from tollkeeper.domain.leak_reports import LARGEST_REPORT, LeakOutcome, ReportedLeak
from tollkeeper.domain.secret import Secret

pytestmark = pytest.mark.anyio
NOW = datetime(2026, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)


@define
class Keys:
    """Keys in memory; each change is noted, and the store may be *down* for some."""

    kept: dict[str, ApiKey] = field(factory=dict)
    owner_of: dict[str, str] = field(factory=dict)
    changes: list[tuple[str, str, str]] = field(factory=list)
    down: set[str] = field(factory=set)
    asked: int = 0

    def add(self, number: int, *, rotated: int | None = None, overlap: timedelta = HOUR) -> str:
        """Keep the key of this *number*, of which the token *rotated* is the former one."""
        tokens = [self._token(number), *([] if rotated is None else [self._token(rotated)])]
        ends = [None, NOW + overlap]
        secrets = tuple(
            KeySecret(token[8:24], b"", "", NOW, end)
            for token, end in zip(tokens, ends, strict=False)
        )
        name = f"key_{number}"
        self.kept[name] = ApiKey(
            name, "acme", "", frozenset({"chat:complete"}), "tk_live", secrets, NOW
        )
        self.owner_of |= dict.fromkeys(tokens, name)
        return tokens[-1]

    def _token(self, number: int) -> str:
        return encode_token("tk_live", encode_kid(bytes([number] * 10)), bytes([number] * 32))

    async def prove(self, token: Secret) -> ApiKey | None:
        self.asked += 1
        name = self.owner_of.get(token.reveal())
        if name in self.down:
            raise Unavailable("the store is down", port="key_store", adapter="test")
        return None if name is None else self.kept[name]

    async def revoke_leaked(self, key: ApiKey, *, source: str, url: str) -> None:
        self.kept[key.id] = evolve(self.kept[key.id], revoked_at=NOW)
        self.changes.append((key.id, source, url))


@pytest.fixture
def keys() -> Keys:
    return Keys()


@pytest.fixture
def clock() -> MemoryClock:
    return MemoryClock(NOW)


@pytest.fixture
def report_keys(keys: Keys, clock: MemoryClock) -> ReportLeakedKeys:
    return ReportLeakedKeys(SoundVerifier(), keys, clock)


async def send(report: ReportLeakedKeys, *items: Mapping[str, Any]) -> tuple[ReportedLeak, ...]:
    body = json.dumps(items).encode()
    key_id, signature = sign(body)
    return await report(body, key_id=key_id, signature=signature)


async def outcomes(report: ReportLeakedKeys, *tokens: str) -> list[LeakOutcome]:
    return [each.outcome for each in await send(report, *({"token": token} for token in tokens))]


async def test_a_leaked_key_is_revoked_and_the_reason_kept(
    report_keys: ReportLeakedKeys, keys: Keys
) -> None:
    """The token is revoked, and the change says where it was found (T26)."""
    token = keys.add(1)
    (done,) = await send(
        report_keys, {"token": token, "type": "acme", "url": "https://a/b", "source": "commit"}
    )
    assert (done.outcome, done.kind) == (LeakOutcome.REVOKED, "acme")
    assert done.display == keys.kept["key_1"].display
    assert keys.changes == [("key_1", "commit", "https://a/b")]
    assert keys.kept["key_1"].revoked_at is not None


async def test_a_replay_changes_nothing(report_keys: ReportLeakedKeys, keys: Keys) -> None:
    """The same report twice, and one token twice in it: one change (T26)."""
    token = keys.add(1)
    assert await outcomes(report_keys, token, token) == ["revoked", "already_revoked"]
    for _ in range(2):
        assert await outcomes(report_keys, token) == ["already_revoked"]
    assert len(keys.changes) == 1


async def test_each_token_has_its_own_answer(report_keys: ReportLeakedKeys, keys: Keys) -> None:
    good, other = keys.add(1), keys.add(2)
    wrong = encode_token("tk_live", encode_kid(bytes([1] * 10)), bytes(32))
    sent = [other, wrong, "", "nonsense", "\ud800\0", good[:-1], good]
    assert await outcomes(report_keys, *sent) == ["revoked", *["unknown"] * 5, "revoked"]


async def test_an_unknown_token_is_answered_with_nothing_more(
    report_keys: ReportLeakedKeys, keys: Keys
) -> None:
    wrong = encode_token("tk_live", encode_kid(bytes([1] * 10)), bytes(32))
    keys.add(1)
    for token in (wrong, "nonsense"):
        (done,) = await send(report_keys, {"token": token, "type": "acme"})
        assert (done.outcome, done.kind, done.display) == ("unknown", "acme", "")


async def test_no_answer_holds_the_token(report_keys: ReportLeakedKeys, keys: Keys) -> None:
    token = keys.add(1)
    done = await send(report_keys, {"token": token, "url": token}, {"token": token + "x"})
    for each in done:
        assert token[-49:] not in repr(each) + str(each.display) + each.kind + each.token_hash
    assert token not in repr(keys.changes)


async def test_a_token_that_was_rotated_out_ends_no_key(
    report_keys: ReportLeakedKeys, keys: Keys, clock: MemoryClock
) -> None:
    old = keys.add(1, rotated=2, overlap=HOUR)
    clock.advance(HOUR)
    assert await outcomes(report_keys, old) == ["already_revoked"]
    assert keys.changes == []


async def test_a_token_in_its_overlap_ends_its_key(
    report_keys: ReportLeakedKeys, keys: Keys, clock: MemoryClock
) -> None:
    old = keys.add(1, rotated=2, overlap=HOUR)
    clock.advance(HOUR - timedelta(microseconds=1))
    assert await outcomes(report_keys, old) == ["revoked"]


async def test_who_cannot_sign_ends_nothing(report_keys: ReportLeakedKeys, keys: Keys) -> None:
    """A tampered report is refused before any key is looked at (T26)."""
    token = keys.add(1)
    body = json.dumps([{"token": token}]).encode()
    key_id, signature = sign(body)
    for sent, by, with_ in (
        (body + b" ", key_id, signature),
        (body, "another", signature),
        (body, key_id, sign(b"[]")[1]),
        (b"no json", key_id, signature),
    ):
        with pytest.raises(Unauthenticated) as refused:
            await report_keys(sent, key_id=by, signature=with_)
        assert refused.value.code == "report_not_authentic"
    assert keys.asked == 0


async def test_what_is_signed_and_no_report_ends_nothing(
    report_keys: ReportLeakedKeys, keys: Keys
) -> None:
    token = keys.add(1)
    for body in (b"{}", json.dumps([{"token": token}, 5]).encode(), b" " * (LARGEST_REPORT + 1)):
        key_id, signature = sign(body)
        with pytest.raises(InvalidRequest) as refused:
            await report_keys(body, key_id=key_id, signature=signature)
        assert refused.value.code == "invalid_report"
    assert keys.asked == 0


async def test_an_outage_is_no_unknown_token_and_does_not_save_the_others(
    report_keys: ReportLeakedKeys, keys: Keys
) -> None:
    """A store that fails for one key: the rest are revoked, and the failure is raised (T28)."""
    first, second, third = keys.add(1), keys.add(2), keys.add(3)
    keys.down = {"key_1", "key_2"}
    with pytest.raises(Unavailable):
        await outcomes(report_keys, first, second, third)
    assert [name for name, *_ in keys.changes] == ["key_3"]
    keys.down = set()
    assert await outcomes(report_keys, first, second, third) == [
        "revoked",
        "revoked",
        "already_revoked",
    ]
