"""A seal covers every field of a key but when it was last used: none can be changed unseen."""

from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from typing import Any

import pytest
from attrs import evolve, fields
from hypothesis import given
from hypothesis import strategies as st

from tollkeeper.domain.api_keys import ApiKey, KeySeal, KeySecret
from tollkeeper.domain.key_limits import KeyLimit, OnOutage, Quota, QuotaPeriod
from tollkeeper.domain.key_seals import is_intact, sealed, sealed_text
from tollkeeper.domain.key_tokens import Pepper
from tollkeeper.domain.rate_limits import RateLimit

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
TICK = timedelta(microseconds=1)
PEPPER, OTHER = Pepper(bytes(range(32))), Pepper(bytes(range(1, 33)))
SECRET = KeySecret("kid0000000000000", bytes(32), "pepper", NOW, NOW + TICK)
LIMIT = KeyLimit(RateLimit(60, timedelta(minutes=1)), OnOutage.LOCAL)
KEY = ApiKey(
    id="key-1",
    account="acme",
    name="ci",
    scopes=frozenset({"chat:complete", "mail:send"}),
    prefix="tk_live",
    secrets=(SECRET, evolve(SECRET, kid="kid0000000000001")),
    created_at=NOW,
    expires_at=NOW + timedelta(days=1),
    revoked_at=NOW + timedelta(hours=1),
    last_used_at=NOW,
    version=7,
    description="builds",
    disabled_at=NOW,
    limits=(LIMIT, KeyLimit(RateLimit(9, timedelta(days=1)))),
    quota=Quota(10),
    networks=(ip_network("10.0.0.0/8"), ip_network("2001:db8::/32")),
    metadata={"team": "search", "ticket": "1"},
)
OTHERWISE: dict[str, tuple[Any, ...]] = {
    "id": ("key-2", "KEY-1", ""),
    "account": ("acme2", "Acme"),
    "name": ("ci ", ""),
    "scopes": (KEY.scopes | {"chat:stream"}, KEY.scopes - {"mail:send"}, frozenset()),
    "prefix": ("tk_test", ""),
    "secrets": ((SECRET,), KEY.secrets[::-1], (*KEY.secrets, SECRET), ()),
    "created_at": (NOW + TICK, NOW - TICK),
    "expires_at": (None, KEY.expires_at and KEY.expires_at + TICK),
    "revoked_at": (None, NOW),
    "version": (6, 8, 70),
    "description": ("", "builds\n"),
    "disabled_at": (None, NOW + TICK),
    "limits": ((), KEY.limits[:1], KEY.limits[::-1], (evolve(LIMIT, on_outage=OnOutage.OPEN),)),
    "quota": (None, Quota(11), Quota(10, QuotaPeriod.DAY)),
    "networks": ((), KEY.networks[:1], (ip_network("10.0.0.0/9"), KEY.networks[1])),
    "metadata": (
        {},
        {"team": "search"},
        {"team": "search", "ticket": "2"},
        {"team": "searchticket"},
    ),
}
OF_A_SECRET: dict[str, tuple[Any, ...]] = {
    "kid": ("kid0000000000002",),
    "verifier": (bytes(31) + b"\x01", bytes(31), b""),
    "pepper_id": ("peppers", ""),
    "not_before": (NOW - TICK,),
    "not_after": (None, NOW, NOW + 2 * TICK),
}
OF_A_LIMIT = (
    evolve(LIMIT, limit=RateLimit(61, timedelta(minutes=1))),
    evolve(LIMIT, limit=RateLimit(60, timedelta(minutes=1) + TICK)),
    evolve(LIMIT, on_outage=OnOutage.CLOSED),
)
NOT_SEALED = {"last_used_at", "seal"}


def test_the_tables_of_these_tests_name_every_field() -> None:
    assert set(OTHERWISE) == {each.name for each in fields(ApiKey)} - NOT_SEALED
    assert set(OF_A_SECRET) == {each.name for each in fields(KeySecret)}


def notices(changed: ApiKey) -> bool:
    """Whether *changed*, with the seal of KEY, is told from it."""
    with_its_seal = evolve(changed, seal=sealed(KEY, PEPPER).seal)
    return sealed_text(changed) != sealed_text(KEY) and not is_intact(with_its_seal, PEPPER)


@pytest.mark.parametrize("name", OTHERWISE)
def test_each_field_of_a_key_is_sealed(name: str) -> None:
    """Another tenant, wider scopes, a later end: each breaks the seal (T5)."""
    for value in OTHERWISE[name]:
        assert notices(evolve(KEY, **{name: value})), value


@pytest.mark.parametrize("place", [0, 1])
@pytest.mark.parametrize("name", OF_A_SECRET)
def test_each_field_of_each_secret_is_sealed(name: str, place: int) -> None:
    """An own verifier, or that of another row, breaks the seal (T5)."""
    for value in OF_A_SECRET[name]:
        secrets = [*KEY.secrets]
        secrets[place] = evolve(secrets[place], **{name: value})
        assert notices(evolve(KEY, secrets=tuple(secrets))), value


@pytest.mark.parametrize("limit", OF_A_LIMIT, ids=str)
def test_each_part_of_a_limit_is_sealed(limit: KeyLimit) -> None:
    assert notices(evolve(KEY, limits=(limit, KEY.limits[1])))


def test_use_does_not_break_a_seal() -> None:
    key = sealed(KEY, PEPPER)
    for at in (None, NOW + TICK):
        assert is_intact(evolve(key, last_used_at=at), PEPPER)


def test_a_seal_is_one_of_its_pepper() -> None:
    key = sealed(KEY, PEPPER)
    assert key.seal is not None
    assert (key.seal.pepper_id, len(key.seal.mac)) == (PEPPER.id, 32)
    assert is_intact(key, PEPPER)
    assert not is_intact(key, OTHER)
    assert evolve(key, seal=None) == KEY


@pytest.mark.parametrize("mac", [b"", bytes(32), bytes(range(32))])
def test_a_key_without_its_seal_is_not_intact(mac: bytes) -> None:
    assert not is_intact(KEY, PEPPER)
    assert not is_intact(evolve(KEY, seal=KeySeal(PEPPER.id, mac)), PEPPER)
    whole = sealed(KEY, PEPPER).seal
    assert whole is not None
    for cut in (whole.mac[:-1], whole.mac[:16], whole.mac + b"\0"):
        assert not is_intact(evolve(KEY, seal=KeySeal(PEPPER.id, cut)), PEPPER)


def test_order_of_a_set_or_mapping_does_not_matter() -> None:
    turned = evolve(
        KEY,
        scopes=frozenset(sorted(KEY.scopes, reverse=True)),
        metadata=dict(reversed([*KEY.metadata.items()])),
    )
    assert sealed_text(turned) == sealed_text(KEY)


TEXTS = st.text(
    alphabet='a",[\\:\u2028🚀\ud800', max_size=3
)  # what divides fields, if anything does
TIMES = st.sampled_from([NOW, NOW + TICK])
MAYBE = st.none() | TIMES
SECRETS = st.builds(KeySecret, TEXTS, st.binary(max_size=1), TEXTS, TIMES, MAYBE)
KEYS = st.builds(
    ApiKey,
    id=TEXTS,
    account=TEXTS,
    name=TEXTS,
    scopes=st.frozensets(TEXTS, max_size=2),
    prefix=TEXTS,
    secrets=st.lists(SECRETS, max_size=2).map(tuple),
    created_at=TIMES,
    expires_at=MAYBE,
    revoked_at=MAYBE,
    version=st.integers(1, 11),
    description=TEXTS,
    disabled_at=MAYBE,
    limits=st.lists(st.sampled_from([LIMIT, *OF_A_LIMIT]), max_size=2).map(tuple),
    quota=st.none() | st.builds(Quota, st.integers(1, 2), st.sampled_from(QuotaPeriod)),
    networks=st.lists(st.sampled_from(KEY.networks), max_size=2).map(tuple),
    metadata=st.dictionaries(TEXTS, TEXTS, max_size=2),
)


@given(KEYS, KEYS)
def test_keys_that_differ_are_written_differently(one: ApiKey, two: ApiKey) -> None:
    assert (sealed_text(one) == sealed_text(two)) == (one == two)


@given(KEYS, st.sampled_from(sorted(OTHERWISE)), KEYS)
def test_a_field_of_another_key_is_noticed(one: ApiKey, name: str, two: ApiKey) -> None:
    """No field can be moved from row to row, whatever it holds (T5)."""
    moved = evolve(one, **{name: getattr(two, name)})
    assert is_intact(evolve(moved, seal=sealed(one, PEPPER).seal), PEPPER) == (moved == one)
