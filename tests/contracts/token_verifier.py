"""The contract of :class:`tollkeeper.ports.token_verifier.TokenVerifier`."""

import asyncio
import base64
import json
import traceback
from collections.abc import Callable, Collection
from datetime import datetime, timedelta
from typing import Any

import pytest

from tollkeeper.adapters.memory.clock import MemoryClock
from tollkeeper.contracts.contract import Contract
from tollkeeper.domain.errors import InvalidRequest, TollkeeperError, Unauthenticated
from tollkeeper.domain.secret import Secret
from tollkeeper.ports.token_verifier import TokenVerifier

ISSUER = "https://issuer.example/auth/v1"
"""The issuer that the suite's verifier trusts."""
AUDIENCE = "authenticated"
"""The audience that the suite's verifier stands for."""
Claims = dict[str, Any]
Issue = Callable[[Claims, str], str]
"""Signs claims as the issuer does; or with the fault that is named (see :data:`FAULTS`)."""
FAULTS = ("another_key", "unknown_key", "unsigned", "another_algorithm")
"""Signed by a key that is not the issuer's but bears its name; by one that the issuer does not
have; not at all; in a way that the issuer does not use."""
_SECOND, _HOUR = timedelta(seconds=1), timedelta(hours=1)
_LEEWAY = timedelta(seconds=60)


def claims_at(now: datetime, *, without: Collection[str] = (), **changes: Any) -> Claims:
    """Make the claims of a good token that was issued at *now* for an hour, with *changes*."""
    seconds = int(now.timestamp())
    claims = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": "6f9619ff-8b86-d011-b42d-00cf4fc964ff",
        "iat": seconds,
        "exp": seconds + 3600,
        "app_metadata": {"plan": "pro", "teams": ["a", "b"]},
        **changes,
    }
    return {name: value for name, value in claims.items() if name not in without}


def _part(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


NO_TOKENS = (
    *(
        "",
        " ",
        ".",
        "..",
        "a.b.c",
        "....",
        "Bearer x",
        "\0",
        "é.é.é",
        "\ud83d",
        "null",
        "x" * 2**20,
    ),
    f"{_part({'alg': 'none'})}.{_part({'sub': 'x'})}.",
    f"{_part([])}.{_part([])}.{_part([])}",
    f"{_part({'alg': ['none']})}.{_part(1)}.AA",
    base64.urlsafe_b64encode(b"[" * 9_000).decode().rstrip("=") + ".e30.AA",
    base64.urlsafe_b64encode(b'{"alg":' + b"9" * 9_000 + b"}").decode().rstrip("=") + ".e30.AA",
    f"{base64.urlsafe_b64encode(bytes(range(200, 255))).decode()}.e30.AA",
)


class TokenVerifierContract(Contract):
    """What every verifier of users' tokens promises.

    Fixtures: ``token_verifier``, which trusts :data:`ISSUER` for :data:`AUDIENCE` and takes the
    time from ``clock``; and ``issue`` (see :data:`Issue`).
    """

    @pytest.fixture
    def clock(self, now: datetime) -> MemoryClock:
        """Stand at the suite's time."""
        return MemoryClock(now)

    async def test_a_good_token_tells_its_claims(
        self, token_verifier: TokenVerifier, issue: Issue, now: datetime
    ) -> None:
        claims = claims_at(now, aud=["other", AUDIENCE])
        for _ in range(2):
            found = await token_verifier.verify(Secret(issue(claims, "")))
            assert (found.issuer, found.subject) == (ISSUER, claims["sub"])
            assert found.audience == ("other", AUDIENCE)
            assert (found.expires_at, found.issued_at) == (now + _HOUR, now)
            assert found.claim("app_metadata.plan") == "pro"
            assert found.claim("app_metadata.teams") == ("a", "b")
            assert set(found.claims) == set(claims)

    async def test_one_audience_and_no_time_of_issue_will_do(
        self, token_verifier: TokenVerifier, issue: Issue, now: datetime
    ) -> None:
        found = await token_verifier.verify(Secret(issue(claims_at(now, without=["iat"]), "")))
        assert (found.audience, found.issued_at) == ((AUDIENCE,), None)

    @pytest.mark.parametrize("fault", FAULTS)
    async def test_a_forged_token_is_refused(
        self, token_verifier: TokenVerifier, issue: Issue, now: datetime, fault: str
    ) -> None:
        await self._refuses(token_verifier, issue(claims_at(now), fault))
        await token_verifier.verify(Secret(issue(claims_at(now), "")))

    @pytest.mark.parametrize("text", NO_TOKENS, ids=lambda text: ascii(text[:12]))
    async def test_what_is_no_token_is_refused(
        self, token_verifier: TokenVerifier, text: str
    ) -> None:
        await self._refuses(token_verifier, text)

    async def test_no_edit_of_a_token_passes(
        self, token_verifier: TokenVerifier, issue: Issue, now: datetime
    ) -> None:
        """Every character counts (T1)."""
        token = issue(claims_at(now), "")
        for place, old in enumerate(token):
            new = "B" if old == "A" else "A"
            await self._refuses(token_verifier, token[:place] + new + token[place + 1 :])
        swapped = token.swapcase()
        for other in (token[:-1], token[1:], f"{token}A", f"{token}=", f" {token}", swapped):
            await self._refuses(token_verifier, other)

    @pytest.mark.parametrize(
        "changes",
        [
            {"iss": f"{ISSUER}/"},
            {"iss": "https://other.example"},
            {"iss": [ISSUER]},
            {"aud": "other"},
            {"aud": f"{AUDIENCE} "},
            {"aud": []},
            {"aud": ["other"]},
            {"aud": {AUDIENCE: 1}},
            {"aud": [AUDIENCE, 1]},
            {"sub": ""},
            {"sub": 7},
            {"sub": "a\nb"},
            {"exp": "tomorrow"},
            {"exp": True},
            {"exp": 10**30},
            {"exp": -1},
            {"nbf": "now"},
            {"iat": [1]},
            {"deep": json.loads("[" * 200 + "]" * 200)},
        ],
        ids=str,
    )
    async def test_claims_that_are_not_for_us_are_refused(
        self,
        token_verifier: TokenVerifier,
        issue: Issue,
        now: datetime,
        changes: dict[str, object],
    ) -> None:
        await self._refuses(token_verifier, issue({**claims_at(now), **changes}, ""))

    @pytest.mark.parametrize("name", ["iss", "aud", "sub", "exp"])
    async def test_a_claim_that_is_missing_is_refused(
        self, token_verifier: TokenVerifier, issue: Issue, now: datetime, name: str
    ) -> None:
        await self._refuses(token_verifier, issue(claims_at(now, without=[name]), ""))

    async def test_an_expired_token_is_called_so(
        self, token_verifier: TokenVerifier, issue: Issue, now: datetime, clock: MemoryClock
    ) -> None:
        """The time of the clock decides at each call (T13)."""
        token = issue(claims_at(now), "")
        clock.advance(_HOUR - _SECOND)
        await token_verifier.verify(Secret(token))
        clock.advance(_SECOND + _LEEWAY)
        await self._refuses(token_verifier, token, code="token_expired")

    @pytest.mark.parametrize("name", ["nbf", "iat"])
    async def test_a_token_of_the_future_is_called_so(
        self,
        token_verifier: TokenVerifier,
        issue: Issue,
        now: datetime,
        clock: MemoryClock,
        name: str,
    ) -> None:
        later = int((now + _LEEWAY + _SECOND).timestamp())
        token = issue({**claims_at(now), name: later}, "")
        await self._refuses(token_verifier, token, code="token_not_yet_valid")
        clock.advance(_LEEWAY + _SECOND)
        await token_verifier.verify(Secret(token))

    async def test_only_a_genuine_token_is_told_of_its_time(
        self, token_verifier: TokenVerifier, issue: Issue, now: datetime, clock: MemoryClock
    ) -> None:
        """One answer for whatever is not for us (T3)."""
        future = int((now + 3 * _HOUR).timestamp())
        early = claims_at(now, nbf=future, exp=future + 9)
        clock.advance(_HOUR + _LEEWAY)
        for claims in (claims_at(now), early):
            for fault in FAULTS:
                await self._refuses(token_verifier, issue(claims, fault))
            for changes in ({"iss": "https://other.example"}, {"aud": "other"}, {"sub": ""}):
                await self._refuses(token_verifier, issue({**claims, **changes}, ""))

    async def test_only_a_secret_is_a_token(
        self, token_verifier: TokenVerifier, issue: Issue, now: datetime
    ) -> None:
        token = issue(claims_at(now), "")
        for wrong in (token, token.encode(), None, 7):
            with pytest.raises(InvalidRequest):
                await token_verifier.verify(wrong)  # type: ignore[arg-type] # it is the wrong type

    async def test_nothing_shows_a_token(
        self, token_verifier: TokenVerifier, issue: Issue, now: datetime, clock: MemoryClock
    ) -> None:
        """No text, repr or traceback with its variables has a piece of one (T23)."""
        canary = "canary-of-the-claims"
        good = issue(claims_at(now, note=canary), "")
        assert good not in repr(await token_verifier.verify(Secret(good)))
        forged = [issue(claims_at(now, note=canary), fault) for fault in FAULTS]
        wrong = issue(claims_at(now, note=canary, aud="other"), "")
        early = issue(claims_at(now, note=canary, nbf=2 * int(now.timestamp())), "")
        for token in (*forged, wrong, early, good + "A", good[:-1]):
            await self._hides(token_verifier, Secret(token), canary)
        clock.advance(2 * _HOUR)
        await self._hides(token_verifier, Secret(good), canary)
        await self._hides(token_verifier, good, canary)

    async def test_callers_at_once_get_each_their_own(
        self, token_verifier: TokenVerifier, issue: Issue, now: datetime
    ) -> None:
        users = [f"user-{n}" for n in range(20)]
        tokens = [issue(claims_at(now, sub=user), "") for user in users]
        found = await asyncio.gather(*(token_verifier.verify(Secret(t)) for t in tokens * 3))
        assert [claims.subject for claims in found] == users * 3

    @pytest.mark.parametrize("ticks", [0, 1, 3, 10])
    async def test_a_caller_who_gives_up_leaves_the_verifier_to_others(
        self, token_verifier: TokenVerifier, issue: Issue, now: datetime, ticks: int
    ) -> None:
        token = Secret(issue(claims_at(now), ""))
        tasks = [asyncio.ensure_future(token_verifier.verify(token)) for _ in range(6)]
        for _ in range(ticks):
            await asyncio.sleep(0)
        for task in tasks[::2]:
            task.cancel()
        answers = await asyncio.gather(*tasks, return_exceptions=True)
        for answer in [*answers[1::2], await token_verifier.verify(token)]:
            assert not isinstance(answer, BaseException)

    async def _refuses(
        self, token_verifier: TokenVerifier, token: str, *, code: str = "token_invalid"
    ) -> None:
        with pytest.raises(Unauthenticated) as refused:
            await token_verifier.verify(Secret(token))
        assert refused.value.code == code
        if code == "token_invalid":
            with pytest.raises(Unauthenticated) as reference:
                await token_verifier.verify(Secret("no token"))
            assert refused.value.args == reference.value.args

    async def _hides(self, token_verifier: TokenVerifier, token: Any, canary: str) -> None:
        with pytest.raises(TollkeeperError) as refused:
            await token_verifier.verify(token)
        inside = refused.tb.tb_next  # the first frame is this test's own, which knows the token
        told = traceback.TracebackException(
            refused.type, refused.value, inside, capture_locals=True
        )
        shown = "".join(told.format()) + repr(refused.value) + repr(token_verifier)
        plain = token.reveal() if isinstance(token, Secret) else token
        pieces = [plain, canary, *(part for part in plain.split(".") if len(part) > 8)]
        assert [piece for piece in pieces if piece in shown] == []
