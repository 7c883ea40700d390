"""A secret shows itself on one call alone."""

import copy
import json
import logging
import pickle
import sys
import traceback
from collections.abc import Callable

import attrs
import pytest
from attrs import frozen

from tollkeeper.domain.errors import InvalidRequest
from tollkeeper.domain.secret import MASK, Secret

TEXT = "sk-canary-7f3a91"


@frozen
class Holder:
    """Has a secret, as settings do."""

    name: str
    key: Secret


SHOWN: dict[str, Callable[[Secret], str]] = {
    "repr": repr,
    "str": str,
    "ascii": ascii,
    "format": lambda secret: f"{secret} {secret!r} {secret!s} {secret:>20}",
    "percent": lambda secret: "%s %r" % (secret, secret),  # noqa: UP031
    "str.format": lambda secret: "{0} {0!r}".format(secret),  # noqa: UP032
    "in a list": lambda secret: repr([secret, (secret,), {"key": secret}]),
    "in an attrs class": lambda secret: repr(Holder("x", secret)),
    "as a dict": lambda secret: repr(attrs.asdict(Holder("x", secret))),
    "json by str": lambda secret: json.dumps({"key": secret}, default=str),
    "dir": lambda secret: repr(dir(secret)),
    "hash": lambda secret: str(hash(secret)),
}


@pytest.mark.parametrize("show", SHOWN.values(), ids=SHOWN)
def test_no_way_of_showing_an_object_shows_it(show: Callable[[Secret], str]) -> None:
    shown = show(Secret(TEXT))
    assert TEXT not in shown
    assert "canary" not in shown


def test_it_is_told_when_asked() -> None:
    assert Secret(TEXT).reveal() == TEXT


def test_it_shows_the_same_whatever_its_length() -> None:
    assert str(Secret("")) == str(Secret("x" * 1000)) == MASK


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_it_is_neither_pickled_nor_copied(protocol: int) -> None:
    for leave in (
        lambda: pickle.dumps(Secret(TEXT), protocol),
        lambda: pickle.dumps(Holder("x", Secret(TEXT)), protocol),
        lambda: copy.copy(Secret(TEXT)),
        lambda: copy.deepcopy([Secret(TEXT)]),
    ):
        with pytest.raises(TypeError) as refused:
            leave()
        assert TEXT not in str(refused.value)


def test_it_is_no_json() -> None:
    with pytest.raises(TypeError) as refused:
        json.dumps(Secret(TEXT))
    assert TEXT not in str(refused.value)


def test_a_traceback_with_local_variables_does_not_show_it() -> None:
    def fail(secret: Secret) -> None:
        holder = Holder("x", secret)
        raise ValueError(f"cannot use {secret} of {holder}")

    try:
        fail(Secret(TEXT))
    except ValueError:
        kind, error, trace = sys.exc_info()
        assert kind is not None
        assert error is not None
        text = "".join(
            traceback.TracebackException(kind, error, trace, capture_locals=True).format()
        )
    assert "secret = Secret(" in text
    assert TEXT not in text


def test_a_log_does_not_show_it(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        logging.getLogger("host").info("key is %s in %r", Secret(TEXT), Holder("x", Secret(TEXT)))
    assert TEXT not in caplog.text


def test_secrets_are_equal_if_their_texts_are() -> None:
    assert Secret(TEXT) == Secret(TEXT)
    assert hash(Secret(TEXT)) == hash(Secret(TEXT))
    assert Secret(TEXT) != Secret("other")
    assert Secret(TEXT) != TEXT
    assert bool(Secret(TEXT))
    assert not Secret("")


def test_what_the_system_hands_over_may_be_no_unicode() -> None:
    assert Secret("\udcff") == Secret("\udcff")
    assert Secret("\udcff") != Secret("\udcfe")


@pytest.mark.parametrize("value", [None, 5, b"sk-canary-7f3a91", ["sk"], Secret(TEXT)], ids=repr)
def test_it_is_made_of_text(value: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        Secret(value)
    assert "canary" not in str(refused.value)


def test_nothing_can_be_added_to_it() -> None:
    with pytest.raises(AttributeError):
        Secret(TEXT).note = "x"  # type: ignore[attr-defined]
