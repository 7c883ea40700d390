"""The tree of errors is the one that is drawn, and each of them is safe to show."""

import inspect
import pickle
import re
from datetime import timedelta
from typing import Any

import pytest

from tollkeeper.domain import errors
from tollkeeper.domain.errors import (
    ConfigurationError,
    DomainError,
    PortError,
    RateLimited,
    TollkeeperError,
)

CLASSES: dict[str, type[TollkeeperError]] = {
    name: found
    for name, found in vars(errors).items()
    if inspect.isclass(found) and issubclass(found, TollkeeperError)
}
LEAVES = [c for c in CLASSES.values() if c not in (TollkeeperError, DomainError, PortError)]


def drawn() -> dict[str, tuple[str | None, bool]]:
    """Read the drawing: each class with its parent, and whether its line says "retryable"."""
    assert errors.__doc__ is not None
    drawing = errors.__doc__.partition("::\n")[2].partition("``public_message``")[0]
    tree: dict[str, tuple[str | None, bool]] = {}
    above: dict[int, str] = {-1: "TollkeeperError"}
    for line in drawing.splitlines():
        words = re.findall(r"[A-Za-z]+", re.sub(r"\([^)]*\)", "", line))
        names = [word for word in words if word in CLASSES]
        column = max(line.find("├"), line.find("└"))
        if column >= 0:
            above = {at: name for at, name in above.items() if at < column}
        # A line that has no branch of its own goes on with the one before it.
        parent = above[max(at for at in above if at < (column if column >= 0 else 99))]
        for name in names:
            assert name not in tree, f"{name} is drawn twice"
            tree[name] = (None if name == parent else parent, line.endswith("retryable"))
        if column >= 0 and len(names) == 1:
            above[column] = names[0]
    return tree


def test_the_tree_in_the_code_is_the_tree_in_the_docstring() -> None:
    in_code = {
        name: (None if cls is TollkeeperError else cls.__mro__[1].__name__)
        for name, cls in CLASSES.items()
    }
    assert {name: parent for name, (parent, _) in drawn().items()} == in_code


def test_the_classes_drawn_as_retryable_are_retryable() -> None:
    for name, (_, retryable) in drawn().items():
        assert getattr(CLASSES[name], "retryable", False) is retryable, name


def test_every_class_has_a_code_of_its_own() -> None:
    codes = [cls.default_code for cls in CLASSES.values()]
    assert len(set(codes)) == len(codes)
    assert all(re.fullmatch(r"[a-z]+(_[a-z]+)*", code) for code in codes)


def test_no_class_knows_of_http() -> None:
    for cls in CLASSES.values():
        assert not [name for name in dir(cls) if "status" in name or "http" in name]


def test_every_class_has_a_docstring() -> None:
    assert all(cls.__doc__ for cls in CLASSES.values())


def made(cls: type[TollkeeperError], **more: Any) -> TollkeeperError:
    if issubclass(cls, PortError):
        more = {"port": "chat_model", "adapter": "openai", **more}
    if issubclass(cls, RateLimited):
        more = {"retry_after": timedelta(seconds=3), **more}
    return cls("say what to do", **more)


@pytest.mark.parametrize("cls", LEAVES)
def test_an_error_says_what_it_was_given_and_nothing_else(cls: type[TollkeeperError]) -> None:
    error = made(cls)
    assert error.public_message == str(error) == "say what to do"
    assert error.code == cls.default_code
    assert made(cls, code="own_code").code == "own_code"


@pytest.mark.parametrize("cls", LEAVES)
def test_the_providers_words_stay_in_the_cause(cls: type[TollkeeperError]) -> None:
    with pytest.raises(cls) as raised:
        raise made(cls) from ValueError("password=hunter2")
    assert "hunter2" not in f"{raised.value} {raised.value!r} {raised.value.public_message}"
    assert isinstance(raised.value.__cause__, ValueError)


@pytest.mark.parametrize("cls", CLASSES.values())
def test_an_error_survives_the_way_out_of_a_worker_process(cls: type[TollkeeperError]) -> None:
    error = made(cls, code="own_code")
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is cls
    assert vars(again) == vars(error)
    assert (str(again), again.args) == (str(error), error.args)


def test_a_port_error_says_where_and_whether_to_try_again() -> None:
    error = errors.Throttled(
        "the provider is busy", port="p", adapter="a", retry_after=timedelta(seconds=9)
    )
    assert (error.port, error.adapter, error.retryable) == ("p", "a", True)
    assert (error.ambiguous, error.retry_after) == (False, timedelta(seconds=9))
    assert errors.Timeout("late", port="p", adapter="a", ambiguous=True).ambiguous
    assert not errors.Rejected("no", port="p", adapter="a").retryable


def test_a_configuration_error_lists_every_fault() -> None:
    error = ConfigurationError(["one is wrong", "two is wrong"])
    assert error.faults == ("one is wrong", "two is wrong")
    assert str(error) == "one is wrong; two is wrong"
    assert ConfigurationError("one is wrong").faults == ("one is wrong",)
