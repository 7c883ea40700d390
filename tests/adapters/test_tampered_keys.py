"""Who can write to the tables of keys can neither mint a key nor make more of one (T5)."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve, frozen

from tests.adapters.tamperings import (
    ALL,
    GUESS,
    MADE_UP,
    RETIRED,
    TAMPERINGS,
    Tampering,
    with_secrets,
)
from tests.application.raw_stores import KINDS, RawStore, raw_store, until
from tests.application.world import PEPPER, settings_in
from tollkeeper import Secret, Tollkeeper, open_tollkeeper
from tollkeeper.contracts.samples import new_id
from tollkeeper.domain.api_keys import ApiKey
from tollkeeper.domain.errors import Conflict, NotFound, Unauthenticated, Unavailable
from tollkeeper.domain.key_limits import KeyLimit, Quota
from tollkeeper.domain.key_seals import sealed
from tollkeeper.domain.key_tokens import Pepper, encode_kid, encode_token, kid_of, refuse

pytestmark = pytest.mark.anyio
CALLER = "10.1.2.3"
PROFILE: dict[str, Any] = {
    "scopes": {"chat:complete"},
    "expires_in": timedelta(hours=1),
    "limits": [KeyLimit.parse("5/minute")],
    "quota": Quota.parse("100/day"),
    "networks": ["10.0.0.0/8"],
}


@pytest.fixture(scope="module", params=KINDS)
def raw(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    with raw_store(request.param, tmp_path_factory.mktemp("keys")) as store:
        yield store


@frozen
class Attacked:
    """A key that was tampered with in the store, as it is there now, and its tokens."""

    tampering: Tampering
    key: ApiKey
    tokens: tuple[Secret, ...]

    @property
    def which(self) -> dict[str, Any]:
        return {"account": self.key.account, "key_id": self.key.id}


@contextmanager
def attacks(attacked: Sequence[Attacked]) -> Iterator[Iterator[Attacked]]:
    """Go through all attacks; a failure tells of which it is."""
    names: list[str] = []

    def named() -> Iterator[Attacked]:
        for each in attacked:
            names.append(each.tampering.name)
            yield each

    try:
        yield named()
    except BaseException as error:
        error.add_note(f"tampering: {names[-1]}")
        raise
    assert len(names) == len(attacked) > 0


async def _attack(tk: Tollkeeper, raw: RawStore, tampering: Tampering) -> Attacked:
    issued = await tk.issue_key(account=new_id("account"), **PROFILE)
    other = await tk.issue_key(account=new_id("account"), **PROFILE)
    tokens = [issued.token]
    which: dict[str, Any] = {"account": issued.key.account, "key_id": issued.key.id}
    assert (await tk.authenticate_key(issued.token, client_address=CALLER)).key_id == issued.key.id
    if tampering.before == "revoke":
        await tk.revoke_key(**which)
    elif tampering.before == "disable":
        await tk.disable_key(**which)
    elif tampering.before == "rotate":
        rotated = await tk.rotate_key(**which)
        tokens.append(rotated.token)
    store = tk.seal_keys.key_store
    honest = await store.get(**which)
    written = tampering.write(honest, other.key)
    assert honest not in written
    await raw.write_keys(*written)
    now = await store.get(account=written[0].account, key_id=issued.key.id)
    assert evolve(now, last_used_at=None) == evolve(written[0], last_used_at=None)
    return Attacked(tampering, now, tuple(tokens))


async def _is_told(tk: Tollkeeper, attacked: Attacked) -> bool:
    """Whether the account has the alarm to whose key the token leads."""
    kid = kid_of(attacked.tokens[0].reveal(), "tk_test")
    assert kid is not None
    found = await tk.seal_keys.key_store.find(kid)
    assert found is not None
    entries = await tk.list_audit(account=found.account)
    told = [entry for entry in entries if entry.action == "key.tampered"]
    return any(f"tampered {found.id}" in entry.details for entry in told)


async def test_a_record_that_is_not_ours_lets_nobody_in(raw: RawStore, tmp_path: Path) -> None:
    """Every write by another than us fails closed, and is told within seconds (T5)."""
    settings = settings_in(tmp_path, store=raw.url, retired_key_peppers=(RETIRED,))
    async with open_tollkeeper(settings, **raw.lent) as tk:
        attacked = [await _attack(tk, raw, tampering) for tampering in TAMPERINGS]
        with attacks(attacked) as all_of_them:
            for each in all_of_them:
                await _check_refused(tk, each)
        report = await tk.seal_keys()
        assert {each.key.id for each in attacked} <= set(report.tampered)

        async def told() -> bool:
            seen = [each for each in attacked if each.tampering.is_told]
            return all([await _is_told(tk, each) for each in seen])

        await until(told)
    async with open_tollkeeper(settings, **raw.lent) as tk:
        with attacks(attacked) as all_of_them:  # by one who was never shown the right token
            for each in all_of_them:
                await _check_refused(tk, each)
        assert all([check.ok async for check in tk.verify_audit.all()])


async def _check_refused(tk: Tollkeeper, attacked: Attacked) -> None:
    own = Secret(encode_token("tk_test", attacked.key.secrets[0].kid, GUESS))
    code = attacked.tampering.code
    # Who was shown the right token knows a guess for one, whatever is in the store by now.
    known = tk.authenticate_key.reads.is_shown(attacked.key.secrets[0].kid, own) is False
    for token in (*attacked.tokens, own):
        with pytest.raises((Unauthenticated, Unavailable)) as refused:
            await tk.authenticate_key(token, client_address=CALLER)
        if code and (token is not own or (code == "pepper_unknown" and not known)):
            assert refused.value.code == code
        else:
            assert str(refused.value) == str(refuse())
            assert refused.value.code == refuse().code


async def test_a_record_that_is_not_ours_may_only_be_taken_away(
    raw: RawStore, tmp_path: Path
) -> None:
    """No change seals what somebody else wrote; revoking and deleting work (T5)."""
    settings = settings_in(tmp_path, store=raw.url, retired_key_peppers=(RETIRED,))
    async with open_tollkeeper(settings, **raw.lent) as tk:
        attacked = [await _attack(tk, raw, tampering) for tampering in TAMPERINGS]
        with attacks(attacked) as all_of_them:
            for each in all_of_them:
                await _check_only_taken_away(tk, each)


async def _check_only_taken_away(tk: Tollkeeper, attacked: Attacked) -> None:
    which = attacked.which
    changes: list[Callable[[], Any]] = [
        lambda: tk.update_key(**which, name="renamed"),
        lambda: tk.rotate_key(**which),
        lambda: tk.enable_key(**which),
        lambda: tk.disable_key(**which),
    ]
    for change in changes:
        with pytest.raises(Conflict) as refused:
            await change()
        assert refused.value.code == attacked.tampering.managing
    assert await tk.seal_keys.key_store.get(**which) == attacked.key
    assert (await tk.revoke_key(**which)).revoked_at is not None
    for token in attacked.tokens:
        with pytest.raises((Unauthenticated, Unavailable)):
            await tk.authenticate_key(token, client_address=CALLER)
    await tk.delete_key(**which)
    with pytest.raises(NotFound) as gone:
        await tk.get_key(**which)
    assert gone.value.code == "key_not_found"
    entries = await tk.list_audit(account=attacked.key.account)
    assert "key.deleted" in [each.action for each in entries]


async def test_a_record_of_ours_that_is_put_back_holds_and_the_audit_log_tells(
    raw: RawStore, tmp_path: Path
) -> None:
    """What a seal cannot show: that the record was ours, and is out of date (T5; ADR 0028)."""
    async with open_tollkeeper(settings_in(tmp_path, store=raw.url), **raw.lent) as tk:
        issued = await tk.issue_key(account=new_id("account"), scopes=ALL)
        await tk.revoke_key(account=issued.key.account, key_id=issued.key.id)
        with pytest.raises(Unauthenticated):
            await tk.authenticate_key(issued.token)
        await raw.write_keys(issued.key)
        assert (await tk.authenticate_key(issued.token)).scopes == ALL
        entries = await tk.list_audit(account=issued.key.account)
        assert [entry.action for entry in entries][:2] == ["key.issued", "key.revoked"]
        assert (await tk.verify_audit(account=issued.key.account)).ok


async def test_a_row_that_was_never_issued_is_no_key(raw: RawStore, tmp_path: Path) -> None:
    """A whole new row, with a verifier under a pepper that the writer made up (T5)."""
    right = Pepper(PEPPER.reveal().encode())
    async with open_tollkeeper(settings_in(tmp_path, store=raw.url), **raw.lent) as tk:
        issued = await tk.issue_key(account=new_id("account"), scopes=ALL)
        kid = encode_kid(b"0123456789")
        token = Secret(encode_token("tk_test", kid, GUESS))
        for pepper, code in ((right, refuse().code), (MADE_UP, "pepper_unknown")):
            verifier = MADE_UP.verifier(token.reveal())
            secret = {"kid": kid, "verifier": verifier, "pepper_id": pepper.id}
            row = evolve(with_secrets(issued.key, secret), id=new_id("key"))
            await raw.write_keys(row if pepper is right else sealed(row, MADE_UP))
            with pytest.raises((Unauthenticated, Unavailable)) as refused:
                await tk.authenticate_key(token)
            assert refused.value.code == code
            await tk.delete_key(account=row.account, key_id=row.id)
