"""Reports of leaked keys are read as GitHub sends them, and show no token."""

import contextlib
import json
import traceback
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tollkeeper.domain.errors import InvalidRequest
from tollkeeper.domain.leak_reports import (
    LARGEST_REPORT,
    MOST_REPORTS,
    LeakReport,
    hash_of,
    parse_reports,
)
from tollkeeper.domain.secret import Secret

TOKEN = "tk_live_000g40r40m30e209_No287qEH4uQv9vBo5cxQTXAw02KFtzjuPbCrH1FrBEB1MyhDb"
URL = "https://github.com/octocat/Hello-World/blob/1234/foo/bar.txt"
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda value: st.lists(value) | st.dictionaries(st.text() | st.just("token"), value),
    max_leaves=8,
)


def body(*items: Any) -> bytes:
    return json.dumps(items).encode()


def refusal(sent: bytes) -> str:
    """Return the refusal with its whole traceback, from the frame of the parser on."""
    with pytest.raises(InvalidRequest) as refused:
        parse_reports(sent)
    assert refused.value.code == "invalid_report"
    assert refused.value.__context__ is None
    shown = traceback.TracebackException(
        type(refused.value), refused.value, refused.tb.tb_next, capture_locals=True
    )
    return "".join(shown.format())


def test_a_report_is_read_as_github_sends_it() -> None:
    item = {"token": TOKEN, "type": "acme_api_key", "url": URL, "source": "content"}
    assert parse_reports(body(item, {"token": "other", "more": [1]})) == (
        LeakReport(Secret(TOKEN), "acme_api_key", URL, "content"),
        LeakReport(Secret("other")),
    )
    assert parse_reports(b"[]") == ()
    assert parse_reports(b" [ ] \n") == ()


def test_a_report_does_not_show_its_token() -> None:
    (report,) = parse_reports(
        body({"token": TOKEN, "url": f"https://a.example/?k={TOKEN}#{TOKEN}"})
    )
    assert TOKEN not in repr(report) + str(report)
    assert report.url == "https://a.example/?k=…#…"
    assert report.token.reveal() == TOKEN


@pytest.mark.parametrize("odd", [None, 5, ["x"], {}, True], ids=ascii)
def test_what_does_not_matter_may_be_odd(odd: object) -> None:
    (report,) = parse_reports(body({"token": TOKEN, "type": odd, "url": odd, "source": odd}))
    assert report == LeakReport(Secret(TOKEN))


def test_what_is_to_be_printed_is_printable_and_short() -> None:
    hostile = "\x1b[2J\r\n\u202e\u2028\ud800" * 1000
    (report,) = parse_reports(
        body({"token": hostile, "type": hostile, "url": hostile + "u", "source": hostile + "s"})
    )
    for text, most in ((report.kind, 65), (report.source, 65), (report.url, 1025)):
        assert text.isprintable()
        assert len(text) <= most
    assert report.token.reveal() == hostile
    assert len(hash_of(report.token)) == 64


@pytest.mark.parametrize(
    "sent",
    [
        b"", TOKEN.encode(), b"{}", b"null", b'"x"', body(TOKEN), body([TOKEN]), body({}),
        body({"token": None, "x": TOKEN}), body({"token": [TOKEN]}), body({"Token": TOKEN}),
        body({"token": TOKEN}, 5), body({"token": TOKEN})[:-1], body({"token": TOKEN}) + b"]",
        b'[{"token":"' + TOKEN.encode() + b"\n" + b'"}]', b"\xff" + body({"token": TOKEN}),
        body(*[{"token": TOKEN}] * (MOST_REPORTS + 1)), b"[" * 100_000, b"9" * 10_000,
        body({"token": TOKEN}) + b" " * LARGEST_REPORT,
        None, 5, "[]", [TOKEN], bytearray(b"[]"), json.dumps([{"token": TOKEN}]),
    ],
    ids=lambda sent: ascii(sent)[:30],
)  # fmt: skip
def test_what_is_no_report_is_refused_without_its_token(sent: bytes) -> None:
    assert TOKEN not in refusal(sent)


def test_a_report_of_the_largest_size_is_read() -> None:
    sent = body(*[{"token": f"{TOKEN}{i}"} for i in range(MOST_REPORTS)])
    assert len(parse_reports(sent.ljust(LARGEST_REPORT))) == MOST_REPORTS


@given(JSON.map(json.dumps).map(str.encode) | st.binary())
@settings(max_examples=50)
def test_whatever_is_sent_is_a_report_or_refused(sent: bytes) -> None:
    with contextlib.suppress(InvalidRequest):
        assert all(isinstance(report, LeakReport) for report in parse_reports(sent))
