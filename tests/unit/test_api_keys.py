"""Keys only ever come nearer to their end."""

from datetime import UTC, datetime, timedelta

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from tollkeeper.domain.api_keys import LONGEST_OVERLAP, ApiKey, KeySecret, KeyState
from tollkeeper.domain.errors import Conflict, InvalidRequest, Unauthenticated

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
TICK = timedelta(microseconds=1)
HOUR = timedelta(hours=1)


def secret(number: int, since: datetime = NOW) -> KeySecret:
    return KeySecret(f"kid{number:013d}", bytes(32), "pepper", not_before=since)


def key(expires_at: datetime | None = None) -> ApiKey:
    return ApiKey(
        id="key-1",
        account="acme",
        name="ci",
        scopes=frozenset({"chat:complete"}),
        prefix="tk_live",
        secrets=(secret(0),),
        created_at=NOW,
        expires_at=expires_at,
    )


def refusal(api_key: ApiKey, kid: str, at: datetime) -> str | None:
    try:
        api_key.admit(kid, at=at)
    except Unauthenticated as error:
        return error.code
    return None


def test_an_active_key_lets_its_holder_in() -> None:
    principal = key().admit("kid" + "0" * 13, at=NOW)
    assert (principal.account, principal.key_id) == ("acme", "key-1")
    assert principal.scopes == frozenset({"chat:complete"})


def test_a_key_shows_its_prefix_and_four_characters() -> None:
    assert key().display == "tk_live_kid0…"
    assert "verifier" not in repr(key())


def test_a_secret_of_another_key_is_refused_like_an_unknown_one() -> None:
    with pytest.raises(Unauthenticated, match="the API key is not valid"):
        key().admit("someone-elses-kid", at=NOW)


def test_a_key_expires_at_its_moment() -> None:
    mortal = key(expires_at=NOW + HOUR)
    assert mortal.state(NOW + HOUR - TICK) is KeyState.ACTIVE
    assert mortal.state(NOW + HOUR) is KeyState.EXPIRED
    assert refusal(mortal, secret(0).kid, NOW + HOUR - TICK) is None
    assert refusal(mortal, secret(0).kid, NOW + HOUR) == "key_expired"


def test_a_revoked_key_stays_revoked() -> None:
    revoked = key(expires_at=NOW + HOUR).revoke(at=NOW)
    assert revoked.version == 2
    for at in (NOW - HOUR, NOW, NOW + 2 * HOUR):
        assert revoked.state(at) is KeyState.REVOKED
        assert refusal(revoked, secret(0).kid, at) == "key_revoked"
    assert revoked.revoke(at=NOW + HOUR) == revoked
    with pytest.raises(Conflict) as refused:
        revoked.rotate(secret(1), at=NOW, overlap=HOUR)
    assert refused.value.code == "key_not_active"


def test_an_expired_key_is_not_rotated() -> None:
    with pytest.raises(Conflict):
        key(expires_at=NOW).rotate(secret(1), at=NOW, overlap=HOUR)


def test_a_rotated_key_takes_both_secrets_during_the_overlap() -> None:
    rotated = key().rotate(secret(1), at=NOW, overlap=HOUR)
    assert [s.kid for s in rotated.secrets] == [secret(1).kid, secret(0).kid]
    assert refusal(rotated, secret(0).kid, NOW + HOUR - TICK) is None
    assert refusal(rotated, secret(0).kid, NOW + HOUR) == "key_rotated"
    assert refusal(rotated, secret(1).kid, NOW + 1000 * HOUR) is None
    assert (rotated.id, rotated.scopes, rotated.version) == ("key-1", key().scopes, 2)


def test_a_leaked_secret_ends_at_once() -> None:
    rotated = key().rotate(secret(1), at=NOW, overlap=timedelta(0))
    assert refusal(rotated, secret(0).kid, NOW) == "key_rotated"


def test_a_third_secret_ends_the_first_at_once() -> None:
    twice = key().rotate(secret(1), at=NOW, overlap=HOUR).rotate(secret(2), at=NOW, overlap=HOUR)
    assert refusal(twice, secret(0).kid, NOW) == "unauthenticated"
    assert refusal(twice, secret(1).kid, NOW) is None
    assert len(twice.secrets) == 2


def test_a_secret_that_was_to_end_sooner_is_not_given_the_overlap() -> None:
    short = evolve(key(), secrets=(evolve(secret(0), not_after=NOW + HOUR),))
    rotated = short.rotate(secret(1), at=NOW, overlap=LONGEST_OVERLAP)
    assert rotated.secrets[1].not_after == NOW + HOUR


@pytest.mark.parametrize(
    "overlap", [-TICK, LONGEST_OVERLAP + TICK, timedelta.max, None, 5, "1h"], ids=repr
)
def test_an_overlap_is_zero_to_seven_days(overlap: timedelta) -> None:
    with pytest.raises(InvalidRequest) as refused:
        key().rotate(secret(1), at=NOW, overlap=overlap)
    assert refused.value.code == "invalid_overlap"


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["rotate", "revoke", "wait"]),
        st.timedeltas(timedelta(0), timedelta(days=9)),
        st.timedeltas(timedelta(0), LONGEST_OVERLAP),
    ),
    max_size=15,
)
EXPIRIES = st.none() | st.timedeltas(TICK, timedelta(days=30)).map(lambda life: NOW + life)
_ORDER = [KeyState.ACTIVE, KeyState.EXPIRED, KeyState.REVOKED]


@given(EXPIRIES, STEPS)
def test_no_history_gives_a_secret_or_a_key_more_life(
    expires_at: datetime | None, steps: list[tuple[str, timedelta, timedelta]]
) -> None:
    now, api_key = NOW, key(expires_at)
    ends: dict[str, datetime] = {}
    state = api_key.state(now)
    gone: set[str] = set()
    for number, (step, wait, overlap) in enumerate(steps, start=1):
        now += wait
        before = api_key
        if step == "revoke":
            api_key = api_key.revoke(at=now)
        elif step == "rotate" and api_key.state(now) is KeyState.ACTIVE:
            api_key = api_key.rotate(secret(number, now), at=now, overlap=overlap)
        assert _ORDER.index(api_key.state(now)) >= _ORDER.index(state)
        state = api_key.state(now)
        assert api_key.version == before.version + (api_key != before)
        assert (api_key.scopes, api_key.expires_at) == (before.scopes, before.expires_at)
        assert (api_key.id, api_key.account, api_key.prefix) == ("key-1", "acme", "tk_live")
        assert 1 <= len(api_key.secrets) <= 2
        gone |= {s.kid for s in before.secrets} - {s.kid for s in api_key.secrets}
        for each in api_key.secrets:
            assert each.kid not in gone
            if each.kid in ends:
                assert each.not_after is not None
                assert each.not_after <= ends[each.kid]
            if each.not_after is not None:
                ends[each.kid] = each.not_after
            if not each.works(now) or state is not KeyState.ACTIVE:
                assert refusal(api_key, each.kid, now) is not None
                assert refusal(api_key, each.kid, now + wait) is not None
