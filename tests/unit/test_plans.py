"""A plan allows what its patterns name, and nothing by accident."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollkeeper.domain.errors import InvalidRequest, PermissionDenied
from tollkeeper.domain.plans import Plan, Subscription
from tollkeeper.domain.rate_limits import RateLimit

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


def allows(plan: Plan, operation: str = "chat:complete", model: str = "offline/echo") -> bool:
    try:
        plan.require(operation=operation, model=model)
    except PermissionDenied:
        return False
    return True


def test_a_refusal_names_the_plan_and_what_it_lacks() -> None:
    plan = Plan("starter", operations=("chat:*",), models=("offline/*",))
    with pytest.raises(PermissionDenied, match=r"starter.*mail:send") as refused:
        plan.require(operation="mail:send", model="offline/echo")
    assert refused.value.code == "not_in_plan"
    with pytest.raises(PermissionDenied, match=r"starter.*openai/gpt-4o") as refused:
        plan.require(operation="chat:complete", model="openai/gpt-4o")
    assert refused.value.code == "not_in_plan"


@pytest.mark.parametrize(
    ("patterns", "model", "allowed"),
    [
        (("*",), "openai/gpt-4o", True),
        (("offline/*",), "offline/echo", True),
        (("offline/*",), "openai/gpt-4o", False),
        (("openai/gpt-4?",), "openai/gpt-4o", True),
        (("openai/gpt-4?",), "openai/gpt-4o-mini", False),
        (("a/b", "offline/echo"), "offline/echo", True),
        (("OFFLINE/*",), "offline/echo", False),
        (("offline/[ab]",), "offline/a", False),
        (("offline/[ab]",), "offline/[ab]", True),
        ((), "offline/echo", False),
    ],
)
def test_models_are_matched_by_pattern(
    patterns: tuple[str, ...], model: str, *, allowed: bool
) -> None:
    assert allows(Plan("p", models=patterns), model=model) is allowed


@pytest.mark.parametrize(
    ("patterns", "allowed"),
    [(("chat:*",), True), (("chat:complete",), True), (("audio:*",), False), ((), False)],
)
def test_operations_are_matched_by_pattern(patterns: tuple[str, ...], *, allowed: bool) -> None:
    assert allows(Plan("p", operations=patterns)) is allowed


def test_a_plan_allows_everything_unless_it_says_otherwise() -> None:
    plan = Plan("p")
    assert allows(plan)
    assert (plan.rate_limit, plan.max_output_tokens, plan.markup_bps) == (None, None, 0)


@given(
    st.lists(st.sampled_from(["chat:*", "audio:*", "*", "mail:send"])),
    st.text(":acht*", max_size=9),
)
def test_adding_a_pattern_never_takes_anything_away(patterns: list[str], operation: str) -> None:
    if allows(Plan("p", operations=tuple(patterns)), operation=operation):
        assert allows(Plan("p", operations=(*patterns, "x:y")), operation=operation)


@pytest.mark.parametrize("patterns", ["*", "chat:*", None, 5, [5], ["a\nb"], ["x" * 300]], ids=repr)
def test_patterns_are_a_list_of_texts(patterns: tuple[str, ...]) -> None:
    # The characters of "chat:*" hold a "*", which would allow everything.
    with pytest.raises(InvalidRequest):
        Plan("p", operations=patterns)
    with pytest.raises(InvalidRequest):
        Plan("p", models=patterns)


def test_patterns_may_come_as_a_list() -> None:
    patterns = ["chat:*"]
    plan = Plan("p", operations=patterns)
    patterns.append("*")
    assert plan.operations == ("chat:*",)


@pytest.mark.parametrize("name", ["", "x" * 65, "a\nb", None, 5, b"p"], ids=repr)
def test_a_plan_has_a_printable_name(name: str) -> None:
    with pytest.raises(InvalidRequest):
        Plan(name)


@pytest.mark.parametrize("bps", [-1, 1_000_001, 1.5, True, "5", None], ids=repr)
def test_a_markup_is_in_basis_points(bps: int) -> None:
    with pytest.raises(InvalidRequest):
        Plan("p", markup_bps=bps)


@pytest.mark.parametrize("tokens", [0, -1, 1.0, True, "5"], ids=repr)
def test_a_bound_of_tokens_is_whole_and_positive(tokens: int) -> None:
    with pytest.raises(InvalidRequest):
        Plan("p", max_output_tokens=tokens)


def test_a_rate_limit_is_a_rate_limit() -> None:
    with pytest.raises(InvalidRequest):
        Plan("p", rate_limit="60/minute")  # type: ignore[arg-type]
    assert Plan("p", rate_limit=RateLimit.parse("60/minute")).rate_limit is not None


def test_a_subscription_runs_from_its_start_until_before_its_end() -> None:
    end = NOW + timedelta(days=30)
    subscription = Subscription("acme", "pro", NOW, end)
    tick = timedelta(microseconds=1)
    moments = [NOW - tick, NOW, end - tick, end]
    assert [subscription.covers(at) for at in moments] == [False, True, True, False]
    assert Subscription("acme", "pro", NOW).covers(NOW + timedelta(days=99_999))


def test_a_subscription_ends_after_it_starts() -> None:
    with pytest.raises(InvalidRequest):
        Subscription("acme", "pro", NOW, NOW)


@pytest.mark.parametrize(
    "arguments",
    [
        {"account": None},
        {"account": "a b"},
        {"plan": ""},
        {"plan": 5},
        {"plan": b"pro"},
        {"starts_at": 0},
        {"starts_at": "2026-11-22"},
        {"starts_at": NOW.replace(tzinfo=None)},
        {"ends_at": 0},
        {"ends_at": (NOW + timedelta(days=1)).replace(tzinfo=None)},
    ],
    ids=str,
)
def test_a_subscription_is_well_formed(arguments: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequest):
        Subscription(**{"account": "acme", "plan": "pro", "starts_at": NOW, **arguments})
