"""Retries, fallbacks, hedging and breakers over random failure scripts, in virtual time."""

import asyncio
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings

from tests.application.resilience_plans import CHAIN, FIRST, PLANS, Plan
from tests.application.resilience_runs import Result, Run, played
from tests.application.scripted_servers import End, Served, cost_of
from tests.application.virtual_time import run
from tollkeeper.domain.attempts import Attempt, Billed, Outcome, Settlement
from tollkeeper.domain.circuit_breaker import CircuitState
from tollkeeper.domain.errors import (
    ContentFiltered,
    ContextWindowExceeded,
    CredentialsRefused,
    PortError,
    Timeout,
    TollkeeperError,
)
from tollkeeper.domain.meters import Provenance

RETRIED = {408, 409, 425, 429, 498}
TICK = 1e-6
LONGEST_BACK_OFF = 8.0
OF_THE_REQUEST = (ContextWindowExceeded, ContentFiltered)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("resilience")


@settings(deadline=None, max_examples=150, suppress_health_check=list(HealthCheck))
@given(plan=PLANS)
def test_every_run_of_every_script_keeps_the_promises(folder: Path, plan: Plan) -> None:
    run(lambda: _checked(plan, folder))


@pytest.mark.soak
@settings(deadline=None, max_examples=350, suppress_health_check=list(HealthCheck))
@given(plan=PLANS)
def test_many_more_runs_keep_the_promises(folder: Path, plan: Plan) -> None:
    run(lambda: _checked(plan, folder))


async def _checked(plan: Plan, folder: Path) -> None:
    done = await played(plan, folder)
    for result in done.results:
        served = done.servers.of(result.account)
        _check_time(plan, result, served)
        _check_error(result, served)
        _check_others_were_asked(plan, result, served)
        _check_no_vain_sleep(plan, result, served)
        _check_delivery(result, served)
        _check_requests(plan, result, served)
        _check_records(result, served)
        _check_money(result, served)
    assert not done.open_when_asked
    await _check_nothing_is_left(done)


def _check_time(plan: Plan, result: Result, served: list[Served]) -> None:
    assert result.overrun <= TICK
    # Nobody sleeps after the last failure: it is the end of the call.
    hedged = result.asking.hedge_after is not None
    waits_unseen = isinstance(result.error, OF_THE_REQUEST) and (plan.limit or plan.keys)
    if not served or hedged or result.error is None or waits_unseen:
        return
    if result.error is served[-1].error:
        assert result.waited_until == served[-1].ended_at


def _check_error(result: Result, served: list[Served]) -> None:
    """What the first model says of the request is told; what a fallback says of it is not."""
    failed = [each for each in served if each.error is result.error]
    if not failed or result.asking.hedge_after is not None or result.pieces:
        return
    mine = [each for each in served if each.model == FIRST]
    telling = [each.error for each in mine if isinstance(each.error, OF_THE_REQUEST)]
    if telling:
        assert result.error is telling[0]
    elif isinstance(result.error, OF_THE_REQUEST):
        assert all(isinstance(each.error, OF_THE_REQUEST) for each in served)


def _check_others_were_asked(plan: Plan, result: Result, served: list[Served]) -> None:
    """A long pause is waited for only when no fallback is left."""
    asking = result.asking
    if len(plan.calls) > 1 or plan.limit is not None or asking.hedge_after is not None:
        return
    chain = CHAIN[:2] if asking.fallbacks is None else asking.fallbacks
    others = {model for model in chain if not (plan.keys and model.startswith("a/"))}
    for place, (earlier, later) in enumerate(pairwise(served), start=1):
        if later.begun_at - earlier.ended_at > LONGEST_BACK_OFF * 2:
            assert others <= {each.model for each in served[:place]}


def _check_delivery(result: Result, served: list[Served]) -> None:
    text = "".join(result.pieces)
    if text:
        [source] = [each for each in served if "".join(each.said).startswith(text)]
        if result.answer is not None:
            assert source.end is End.ANSWERED
            assert text == "".join(source.said)
    if result.served_at_first_piece is not None:
        assert len(served) == result.served_at_first_piece


def _check_requests(plan: Plan, result: Result, served: list[Served]) -> None:
    chains = 1 if result.asking.hedge_after is None else 2
    by_model: dict[str, list[Served]] = {}
    for each in served:
        by_model.setdefault(each.model, []).append(each)
    for asked in by_model.values():
        assert len(asked) <= plan.tries * chains
    if chains == 2:
        return
    for asked in by_model.values():
        _check_repeats(plan, asked)
    for earlier in served[:-1]:
        assert earlier.end is not End.ANSWERED


def _check_repeats(plan: Plan, asked: list[Served]) -> None:
    """Why one model was asked again by one call, when, and with which key."""
    refused: set[str] = set()
    for earlier, later in pairwise(asked):
        error = earlier.error
        if isinstance(error, CredentialsRefused):
            refused.add(earlier.credential)
            assert earlier.credential  # a key of a pool
            # Another call may meanwhile find the next key refused too, or take the last place.
            assert len(plan.calls) > 1 or later.begun_at == earlier.ended_at
        assert later.credential not in refused
        if error is None or isinstance(error, CredentialsRefused):
            continue
        assert isinstance(error, PortError)
        assert error.retryable
        assert error.status is None or error.status >= 500 or error.status in RETRIED
        waited = later.begun_at - earlier.ended_at
        if error.retry_after is not None and later.credential == earlier.credential:
            assert waited >= error.retry_after.total_seconds() - TICK


def _check_records(result: Result, served: list[Served]) -> None:
    attempts = sorted(result.attempts, key=lambda attempt: attempt.number)
    assert [each.number for each in attempts] == list(range(1, len(served) + 1))
    for attempt, request in zip(attempts, served, strict=True):
        try:
            _check_record(attempt, request)
        except AssertionError as error:
            error.add_note(f"{attempt}\n{request}")
            raise
    charged = [each for each in attempts if each.settlement is Settlement.CHARGED]
    assert len(charged) <= 1
    if result.answer is not None:
        assert result.answer.attempts == tuple(attempts)
        assert len(charged) == 1
    if result.pieces and result.asking.streamed:
        [source] = charged
        text = "".join(result.pieces)
        assert "".join(served[source.number - 1].said).startswith(text)


def _check_record(attempt: Attempt, request: Served) -> None:
    assert attempt.model == request.model
    assert attempt.credential == (request.credential or "default")
    if request.end is End.ANSWERED:
        assert attempt.outcome is Outcome.ANSWERED
        assert attempt.billed is Billed.YES
    elif request.end is End.FAILED:
        assert attempt.outcome is Outcome.FAILED
        error = request.error
        code = error.code if isinstance(error, TollkeeperError) else "adapter_fault"
        assert attempt.error == code
    else:
        assert attempt.outcome is not Outcome.ANSWERED
        assert attempt.billed is not Billed.NO
    if request.reported:
        used = request.usage
        assert used is not None
        assert attempt.provenance is Provenance.REPORTED
        assert attempt.billed is Billed.YES
        assert attempt.cost.nanos == cost_of(request.model, used)
        assert attempt.settlement is not Settlement.NOTHING
    elif request.usage is not None:
        assert attempt.billed is not Billed.NO
        assert attempt.provenance is Provenance.ESTIMATED
        assert attempt.settlement is not Settlement.NOTHING
    if attempt.billed is Billed.NO:
        assert attempt.settlement is Settlement.NOTHING
        assert attempt.cost.nanos == 0


def _check_money(result: Result, served: list[Served]) -> None:
    charged = [each for each in result.attempts if each.settlement is Settlement.CHARGED]
    assert result.held == 0
    assert result.charged == sum(each.cost.nanos for each in charged)
    if result.receipt is not None:
        assert result.receipt.charged.nanos == result.charged
        assert result.receipt.model == charged[0].model
        assert result.receipt.price_id == charged[0].price_id
        assert result.receipt.provenance is charged[0].provenance
    reported = sum(each.cost for each in served if each.reported)
    recorded = sum(
        each.cost.nanos for each in result.attempts if each.provenance is Provenance.REPORTED
    )
    assert recorded == reported


def _check_no_vain_sleep(plan: Plan, result: Result, served: list[Served]) -> None:
    """A call that runs into its deadline does so while a server is busy, not in its sleep."""
    asking = result.asking
    if plan.limit is not None or asking.hedge_after is not None or asking.dawdles or not served:
        return  # a reader who dawdles may spend its time with a piece in hand
    if result.ended < result.began + asking.timeout - TICK:
        return
    if isinstance(result.error, Timeout) and result.error is not served[-1].error:
        assert served[-1].end is End.LEFT


async def _check_nothing_is_left(done: Run) -> None:
    loop, asking = asyncio.get_running_loop(), done.tk.complete.asking
    assert not done.tk.complete.chat_calls.metered_calls.open
    limit = done.plan.limit
    if limit is not None:
        assert done.servers.most_at_once.get("a", 0) <= limit
        before = loop.time()
        for _ in range(limit):
            await asking.places.take("a", within=1.0, port="chat_model")
        assert loop.time() == before
    later = loop.time() + done.plan.breaker_pause
    for now in (loop.time(), later):
        for model, state in asking.breakers.states(now=now).items():
            if state is not CircuitState.OPEN:  # nobody probes any more, so anyone may
                asking.breakers.check(model, now=now, port="chat_model")
