"""The contract of :class:`tollkeeper.ports.report_verifier.ReportVerifier`."""

import asyncio
import json
import traceback
from base64 import b64decode, b64encode
from collections.abc import Callable

import pytest

from tollkeeper.contracts.contract import Contract
from tollkeeper.domain.errors import Unauthenticated
from tollkeeper.ports.report_verifier import ReportVerifier

Sign = Callable[[bytes], tuple[str, str]]
"""Signs a body as the reporter does: the id of its key, and the signature."""

TOKEN = "tk_live_000g40r40m30e209_No287qEH4uQv9vBo5cxQTXAw02KFtzjuPbCrH1FrBEB1MyhDb"
BODY = json.dumps([{"token": TOKEN, "type": "key", "url": "", "source": "commit"}]).encode()


async def _refusal(verifier: ReportVerifier, body: bytes, key_id: str, signature: str) -> str:
    with pytest.raises(Unauthenticated) as refused:
        await verifier.verify(body, key_id=key_id, signature=signature)
    assert refused.value.code == "report_not_authentic"
    return str(refused.value)


class ReportVerifierContract(Contract):
    """What every verifier of reports promises.

    Fixtures: ``report_verifier``, and ``sign``, which signs as a reporter that it knows.
    """

    @pytest.mark.parametrize("body", [BODY, b"", b"\0\xff\r\n", b"x" * (1 << 20)], ids=len)
    async def test_what_is_signed_is_authentic_as_often_as_it_is_sent(
        self, report_verifier: ReportVerifier, sign: Sign, body: bytes
    ) -> None:
        key_id, signature = sign(body)
        for _ in range(2):
            await report_verifier.verify(body, key_id=key_id, signature=signature)

    async def test_a_body_that_was_changed_is_refused(
        self, report_verifier: ReportVerifier, sign: Sign
    ) -> None:
        key_id, signature = sign(BODY)
        changed = [bytes([*BODY[:at], BODY[at] ^ 1, *BODY[at + 1 :]]) for at in range(len(BODY))]
        same_json = json.dumps(json.loads(BODY), separators=(",", ":")).encode()
        for body in (*changed, BODY[:-1], BODY + b"\n", b"", BODY * 2, same_json):
            await _refusal(report_verifier, body, key_id, signature)

    async def test_a_signature_that_was_changed_is_refused(
        self, report_verifier: ReportVerifier, sign: Sign
    ) -> None:
        key_id, signature = sign(BODY)
        made = b64decode(signature)
        for at in range(len(made)):
            edited = bytes([*made[:at], made[at] ^ 1, *made[at + 1 :]])
            await _refusal(report_verifier, BODY, key_id, b64encode(edited).decode())
        for other in (
            made[:-1],
            made + b"\0",
            made * 2,
            bytes(len(made)),
            b"0\x06\x02\x01\0\x02\x01\0",
        ):
            await _refusal(report_verifier, BODY, key_id, b64encode(other).decode())

    @pytest.mark.parametrize(
        "odd",
        ["", "=", "====", "é", "\0", "\ud800", "x" * 5000, None, 5, b"MEQC", ["x"]],
        ids=lambda odd: ascii(odd)[:12],
    )
    async def test_whatever_is_no_signature_or_key_id_is_refused(
        self, report_verifier: ReportVerifier, sign: Sign, odd: str
    ) -> None:
        key_id, signature = sign(BODY)
        await _refusal(report_verifier, BODY, key_id, odd)
        await _refusal(report_verifier, BODY, odd, signature)

    async def test_a_key_of_another_name_is_refused(
        self, report_verifier: ReportVerifier, sign: Sign
    ) -> None:
        key_id, signature = sign(BODY)
        for other in (key_id[:-1], key_id + "0", key_id + "\n", " " + key_id, key_id * 2):
            await _refusal(report_verifier, BODY, other, signature)

    @pytest.mark.parametrize("body", [None, "[]", 5, ["x"]], ids=ascii)
    async def test_a_body_that_is_no_bytes_is_refused(
        self, report_verifier: ReportVerifier, sign: Sign, body: bytes
    ) -> None:
        key_id, signature = sign(b"[]")
        await _refusal(report_verifier, body, key_id, signature)

    async def test_one_answer_for_all_that_is_not_authentic(
        self, report_verifier: ReportVerifier, sign: Sign
    ) -> None:
        key_id, signature = sign(BODY)
        texts = {
            await _refusal(report_verifier, BODY[:-1], key_id, signature),
            await _refusal(report_verifier, BODY, "another-key", signature),
            await _refusal(report_verifier, BODY, key_id, signature[4:]),
            await _refusal(report_verifier, BODY, key_id, ""),
        }
        assert len(texts) == 1

    async def test_no_refusal_shows_the_token_that_was_reported(
        self, report_verifier: ReportVerifier, sign: Sign
    ) -> None:
        key_id, signature = sign(b"another body")
        for each in (key_id, "another-key"):
            with pytest.raises(Unauthenticated) as refused:
                await report_verifier.verify(BODY, key_id=each, signature=signature)
            # From the frame of the adapter on: that of this test has the token itself.
            assert refused.tb is not None
            shown = traceback.TracebackException(
                type(refused.value), refused.value, refused.tb.tb_next, capture_locals=True
            )
            assert TOKEN not in "".join(shown.format())
            assert refused.value.__context__ is None

    async def test_many_at_once_get_each_their_own_answer(
        self, report_verifier: ReportVerifier, sign: Sign
    ) -> None:
        bodies = [f"[{number}]".encode() for number in range(16)]
        signed = [sign(body) for body in bodies]
        wrong = [signed[0], *signed[:-1]]
        given = [*zip(bodies, signed, strict=True), *zip(bodies[1:], wrong[1:], strict=True)]
        answers = await asyncio.gather(
            *(report_verifier.verify(body, key_id=k, signature=s) for body, (k, s) in given),
            return_exceptions=True,
        )
        assert answers[:16] == [None] * 16
        assert all(isinstance(answer, Unauthenticated) for answer in answers[16:])
