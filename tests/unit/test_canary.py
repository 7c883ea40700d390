"""The search for canaries finds them wherever they are, and says where."""

import base64
import json
import logging
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from attrs import field, frozen

from tests.canary import assert_no_trace, canaries_of_token, recorded_logs, sqlite_files
from tollkeeper.domain.errors import Unavailable
from tollkeeper.domain.key_tokens import Pepper
from tollkeeper.domain.secret import Secret
from tollkeeper.infra.durations import parse_duration

CANARY = "canary-Zr1+/8sWq-0123456789é"
logger = logging.getLogger("tests.canary.deep.inside")


@frozen
class Holder:
    """An object that shows only its *name*."""

    name: str
    value: object = field(repr=False)


class Loud:
    """An object that tells in its repr alone."""

    def __repr__(self) -> str:
        return f"Loud({CANARY})"


def error_with(text: str = "", cause: BaseException | None = None, **state: Any) -> BaseException:
    error = Unavailable(text or "away", port="key_store", adapter="test")
    vars(error).update(state)
    error.__cause__ = cause
    return error


def raised_below_with_a_local() -> BaseException:
    """Return what the library raises in a frame of its own that holds what it was given."""
    try:
        parse_duration(CANARY)
    except ValueError as error:
        return error
    raise AssertionError("no duration reads like that")


LEAKS = [
    CANARY,
    CANARY.encode(),
    f"hex {CANARY.encode().hex()}",
    base64.b64encode(b"x" + CANARY.encode()).decode(),
    base64.b64encode(b"xy" + CANARY.encode()),
    base64.urlsafe_b64encode(CANARY.encode()),
    json.dumps({"a": CANARY}),
    repr(CANARY.encode()),
    "https://a.example/?key=canary-Zr1%2B/8sWq-0123456789%C3%A9",
    pickle.dumps(CANARY),
    [{"a": ({CANARY},)}],
    {CANARY: 1},
    Holder("a", {"b": [CANARY]}),
    Holder("a", Holder("b", CANARY.encode())),
    Loud(),
    [Loud()],
    error_with(CANARY),
    error_with(details=[CANARY]),
    error_with(cause=ValueError(CANARY)),
    error_with(cause=error_with(cause=error_with(details=Loud()))),
    ExceptionGroup("several", [ValueError("a"), ValueError(CANARY)]),
    raised_below_with_a_local(),
]


@pytest.mark.parametrize("place", LEAKS, ids=lambda place: ascii(place)[:30])
def test_a_canary_is_found(place: object) -> None:
    with pytest.raises(AssertionError, match="a canary is shown by: place 1"):
        assert_no_trace([CANARY], "nothing here", place)


@pytest.mark.parametrize(
    "place",
    [
        "canary", b"", None, 5, {"a": [1.5, None]}, Secret(CANARY), Holder("a", Secret(CANARY)),
        Holder("a", Pepper(CANARY.encode() * 2)), error_with(), error_with(held=Secret(CANARY)),
        ValueError("a"),
    ],
    ids=lambda place: ascii(place)[:30],
)  # fmt: skip
def test_what_holds_no_canary_or_does_not_show_it_passes(place: object) -> None:
    assert_no_trace([CANARY], place)


def test_a_canary_in_a_log_is_found() -> None:
    quiet = logging.getLogger("tests.canary.quiet")
    quiet.setLevel(logging.CRITICAL)
    quiet.propagate = False
    ways: list[Callable[[], None]] = [
        lambda: logger.debug("key %s", CANARY),
        lambda: quiet.debug(CANARY),
        lambda: logger.info("key %s", {"a": Holder("a", CANARY)}),
        lambda: logger.error("failed", exc_info=ValueError(CANARY)),
        lambda: logging.getLogger().warning(CANARY),
    ]
    for say in ways:
        with recorded_logs() as logs:
            say()
        with pytest.raises(AssertionError, match="place 0"):
            assert_no_trace([CANARY], logs)
        assert_no_trace(["another canary, not there"], logs)
    assert (quiet.level, quiet.propagate) == (logging.CRITICAL, False)


def test_a_canary_in_a_file_is_found(tmp_path: Path) -> None:
    for name in ("a.db", "a.db-wal"):
        (tmp_path / name).write_bytes(b"\0\xff" + CANARY.encode() + b"\0")
        with pytest.raises(AssertionError, match=f"the file {name}"):
            assert_no_trace([CANARY], *sqlite_files(tmp_path / "a.db"))
        (tmp_path / name).write_bytes(b"\0")
    assert_no_trace([CANARY], *sqlite_files(tmp_path / "a.db"))


def test_a_search_that_proves_nothing_is_refused() -> None:
    for canaries in ([], ["short"], [b"x" * 15]):
        with pytest.raises(AssertionError):
            assert_no_trace(canaries, "")


def test_half_of_a_token_is_a_trace() -> None:
    token = "tk_live_000g40r40m30e209_No287qEH4uQv9vBo5cxQTXAw02KFtzjuPbCrH1FrBEB1MyhDb"
    for shown in (token, token[-49:], token[-49:-20], token[-30:]):
        with pytest.raises(AssertionError):
            assert_no_trace(canaries_of_token(token), shown)
    assert_no_trace(canaries_of_token(token), token[:24])
