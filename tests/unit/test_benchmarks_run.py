"""The benchmarks run, and what they assert about sums and answers holds. Nothing here is timed."""

import asyncio
import io
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import cache
from pathlib import Path

import pytest
from attrs import evolve
from rich.console import Console

from benchmarks import imports, rendered, report, runner, suite, upstream
from benchmarks.asking import see
from benchmarks.asking_us import BareAiohttp
from benchmarks.contender import Arena, Benchmark, Case, Entry
from benchmarks.lane import Lane
from benchmarks.measure import Round, run_round, summarise
from benchmarks.metered import HomeMade
from benchmarks.rating import RATING, Rating, by_decimal
from benchmarks.runner import Plan

pytestmark = pytest.mark.anyio

TINY = Plan(rounds=1, seconds=0.002)
IN_HERE, IN_A_PROCESS = (
    [
        pytest.param(name, entry.name, id=f"{name}-{entry.name}")
        for name in suite.NAMES
        for entry in suite.benchmark(name).entries
        # litellm leaves connections open whatever one does, which is an error in here.
        if entry.installed and (entry.package == "litellm") is apart
    ]
    for apart in (False, True)
)


def _work(benchmark: Benchmark) -> list[Case]:
    """Return the cases of *benchmark* with few callers, each once."""
    few = (evolve(case, name="", callers=min(case.callers, 8)) for case in benchmark.cases)
    return list(dict.fromkeys(few))


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """Run the chat server that the contenders ask."""
    with upstream.running() as address:
        yield address


@pytest.fixture(scope="module")
def address() -> Iterator[Callable[[Benchmark], str]]:
    """Run the servers that the contenders of a benchmark ask, each once."""
    with ExitStack() as stack:
        yield cache(lambda benchmark: stack.enter_context(runner.serving(benchmark)))


@pytest.mark.parametrize(("benchmark_name", "entry_name"), IN_HERE)
async def test_a_contender_keeps_its_sums(
    benchmark_name: str,
    entry_name: str,
    address: Callable[[Benchmark], str],
    tmp_path: Path,
) -> None:
    benchmark = suite.benchmark(benchmark_name)
    contender = benchmark.entry(entry_name).make()
    # A server that is started waits in a loop of its own.
    await contender.open(Arena(tmp_path, await asyncio.to_thread(address, benchmark)))
    for case in _work(benchmark):
        done = await run_round(
            contender,
            callers=case.callers,
            mode=case.mode,
            seconds=TINY.seconds,
            run_in=case.run_in,
        )
        assert done.operations >= len(done.latencies) >= case.callers
    await contender.check()
    await contender.close()


@pytest.mark.parametrize(("benchmark_name", "entry_name"), IN_A_PROCESS)
def test_a_contender_in_its_process_keeps_its_sums(
    benchmark_name: str,
    entry_name: str,
    address: Callable[[Benchmark], str],
    tmp_path: Path,
) -> None:
    benchmark = suite.benchmark(benchmark_name)
    entry, where = benchmark.entry(entry_name), address(benchmark)
    with Lane(benchmark, entry, tmp_path / entry_name, where) as lane:
        lane.wait_until_ready()
        for case in _work(benchmark):
            assert lane.round(case, TINY.seconds).operations >= case.callers
        lane.check()


async def test_a_contender_whose_sums_are_wrong_is_found_out(tmp_path: Path) -> None:
    contender = HomeMade()
    await contender.open(Arena(tmp_path))
    await contender.call("")
    await contender.check()
    contender._db.execute("UPDATE credits SET nanos = nanos + 1")
    with pytest.raises(AssertionError):
        await contender.check()
    await contender.close()


async def test_an_answer_that_is_not_as_it_should_be_is_found_out(server: str) -> None:
    contender = BareAiohttp()
    contender.name = "found-out"
    await contender.open(Arena(Path(), server))
    assert await contender.call("stream-22") == 1
    with pytest.raises(AssertionError):
        see("another text", (rendered.INPUT_TOKENS, 22), 22)
    with pytest.raises(AssertionError):
        see(rendered.text(22), (rendered.INPUT_TOKENS, 23), 22)
    await contender.check()
    contender.calls += 1
    with pytest.raises(AssertionError):
        await contender.check()
    await contender.close()


async def test_a_way_to_price_must_agree_with_the_exact_one() -> None:
    await Rating(by_decimal).check()
    with pytest.raises(AssertionError):
        await Rating(lambda quantity: by_decimal(quantity) + (quantity > 1_000_000)).check()


@pytest.fixture(scope="module")
def outcome(tmp_path_factory: pytest.TempPathFactory) -> runner.Table:
    """Run a benchmark as the command does, with two contenders that cannot take part."""
    benchmark = evolve(
        RATING,
        entries=(
            *RATING.entries,
            Entry("absent", "absent {version}", RATING.entries[0].make, package="no_such_package"),
            Entry("unknown", "unknown to the other process", RATING.entries[0].make),
        ),
    )
    told: list[str] = []
    table = runner.run(benchmark, TINY, folder=tmp_path_factory.mktemp("rating"), tick=told.append)
    assert len(told) == runner.steps(RATING, TINY) + 1  # the unknown one's opening
    return table


def test_contenders_run_in_processes_of_their_own(outcome: runner.Table) -> None:
    ran = {line.contender: line.summary for line in outcome.lines if line.summary is not None}
    assert len(ran) == len(RATING.entries)
    baseline = ran[RATING.entry(RATING.baseline).title]
    assert (baseline.cpu_ratio, baseline.rate_ratio) == (1.0, 1.0)


def test_who_cannot_take_part_is_named_with_the_reason(outcome: runner.Table) -> None:
    missing = {line.contender: line.remark for line in outcome.lines if line.summary is None}
    assert "not installed" in missing["absent"]
    assert "failed" in missing["unknown to the other process"]
    assert outcome.failures == ()


def test_the_tables_can_be_read_and_had_as_json(outcome: runner.Table, tmp_path: Path) -> None:
    shown = io.StringIO()
    report.show(outcome, Console(file=shown, width=120))
    assert "Decimal" in shown.getvalue()
    assert "no_such_package is not installed here" in shown.getvalue()
    plain = report.as_plain([outcome], TINY, report.machine(tmp_path))
    assert json.loads(json.dumps(plain))["benchmarks"][0]["name"] == "rating"


def test_importing_is_measured_in_new_processes(tmp_path: Path) -> None:
    table = imports.run(TINY, folder=tmp_path, tick=lambda text: None)
    by_name = {line.contender: line for line in table.lines}
    assert by_name["import tollkeeper"].summary is not None
    for entry in imports.ENTRIES:
        assert (by_name[entry.title].summary is not None) == entry.installed


def test_a_ratio_compares_the_same_round() -> None:
    """A slow second half of the run slows both sides, and so not their ratio."""

    def rounds(*cpu: float) -> list[Round]:
        return [Round(operations=1, seconds=each, cpu=each, latencies=(each,)) for each in cpu]

    found = summarise(rounds(2.0, 2.0, 20.0), rounds(1.0, 1.0, 10.0))
    assert (found.cpu_ratio, found.rate_ratio) == (2.0, 0.5)
    assert found.p99 is None
    assert found.cpu_more == 1.0

    sat_out = summarise(rounds(2.0), rounds(1.0, 5.0, 10.0))
    assert (sat_out.cpu_ratio, sat_out.cpu_more) == (2.0, 1.0)


def test_a_line_is_compared_with_the_one_that_it_stands_beside(tmp_path: Path) -> None:
    ours, *others = RATING.entries
    benchmark = evolve(
        RATING,
        entries=(ours, *(evolve(entry, beside=others[0].name) for entry in others)),
        cases=tuple(evolve(case, parts=100) for case in RATING.cases),
        differs=True,
    )
    table = runner.run(benchmark, TINY, folder=tmp_path, tick=lambda text: None)
    ratios = [line.summary.cpu_ratio for line in table.lines if line.summary is not None]
    assert ratios[:2] == [1.0, 1.0]
    assert ratios[2] != 1.0
    shown = io.StringIO()
    report.show(table, Console(file=shown, width=160))
    assert "CPU more" in shown.getvalue()
    assert "a chunk" in shown.getvalue()


def test_who_has_used_its_time_several_times_over_sits_the_rest_out(tmp_path: Path) -> None:
    """Rounds that overran were long: they need not be many."""
    plan = Plan(rounds=6, seconds=1e-9)
    [*lines] = runner.run(RATING, plan, folder=tmp_path, tick=lambda text: None).lines
    for line in lines:
        assert line.summary is not None
        assert line.summary.samples == 1


def test_differences_are_written_with_their_sign() -> None:
    assert [report.signed(seconds) for seconds in (0.0, 1.5e-6, -0.002)] == [
        "",
        "+1.50 µs",
        "-2.00 ms",
    ]


def test_the_command_prints_json_and_names_what_it_does_not_know(tmp_path: Path) -> None:
    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "benchmarks", *arguments, "--folder", str(tmp_path)],
            cwd=upstream.ROOT,
            capture_output=True,
            text=True,
            check=False,
        )

    done = run("rating", "--rounds", "1", "--seconds", "0.002", "--json")
    assert done.returncode == 0, done.stderr
    assert [table["name"] for table in json.loads(done.stdout)["benchmarks"]] == ["rating"]
    assert list(tmp_path.iterdir()) == []
    refused = run("ratings")
    assert refused.returncode == 2
    assert "no benchmark is called ratings" in refused.stderr
