"""Running benchmarks: every contender in each round, in turn, in one run."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, nullcontext
from pathlib import Path

from attrs import define, evolve, field, frozen

from benchmarks.contender import Benchmark, Case, Entry, Side
from benchmarks.lane import Failed, Lane
from benchmarks.measure import Round, Summary, summarise
from benchmarks.upstream import running

Tick = Callable[[str], None]
_MOST_SHARES = 4
_WARMING_UP = 4


@frozen
class Plan:
    """How long to measure: *rounds* of *seconds* for each contender and case."""

    rounds: int = 5
    seconds: float = 0.3


@frozen
class Line:
    """One contender in one case. Without a summary, *remark* says why.

    *parts* are those of one operation, 0 where it has none. *memory* is the largest resident size
    in bytes, where it was measured.
    """

    case: str
    contender: str
    side: Side
    summary: Summary | None = None
    remark: str = ""
    parts: int = 0
    memory: int | None = None


@frozen
class Table:
    """The outcome of one benchmark."""

    name: str
    title: str
    operation: str
    lines: tuple[Line, ...]
    differs: bool = False

    @property
    def failures(self) -> tuple[str, ...]:
        """What our own contenders failed at."""
        return tuple(
            f"{self.name}, {line.contender}: {line.remark}"
            for line in self.lines
            if line.side == "ours" and line.summary is None
        )


@define
class _Contest:
    """What has been measured so far."""

    rounds: dict[tuple[str, str], list[Round]] = field(factory=dict)
    failed: dict[str, str] = field(factory=dict)

    def lines(self, benchmark: Benchmark) -> Iterator[Line]:
        for case in benchmark.cases:
            for entry in benchmark.entries:
                beside = entry.beside or benchmark.baseline
                yield self._line(case, entry, self.rounds.get((case.name, beside), []))

    def _line(self, case: Case, entry: Entry, baseline: Sequence[Round]) -> Line:
        summary, remark = None, ""
        if not entry.installed:
            remark = entry.absence
        elif entry.name in self.failed:
            remark = self.failed[entry.name]
        elif not baseline:
            remark = "there is nothing to compare with"
        else:
            summary = summarise(self.rounds[case.name, entry.name], baseline)
        return Line(case.name, entry.title, entry.side, summary, remark, case.parts)


def steps(benchmark: Benchmark, plan: Plan) -> int:
    """Count the ticks that running *benchmark* takes."""
    installed = sum(entry.installed for entry in benchmark.entries)
    return installed * (1 + len(benchmark.cases) * (plan.rounds + 1))


def serving(benchmark: Benchmark) -> AbstractContextManager[str]:
    """Run the server that the contenders of *benchmark* ask, if any; give its address."""
    if benchmark.server is not None:
        return benchmark.server()
    return running() if benchmark.needs_upstream else nullcontext("")


def run(benchmark: Benchmark, plan: Plan, *, folder: Path, tick: Tick) -> Table:
    """Run *benchmark* with its files in *folder*; *tick* is told of each step."""
    contest = _Contest()
    with ExitStack() as stack:
        upstream = stack.enter_context(serving(benchmark))
        lanes: dict[str, Lane] = {}
        for entry in benchmark.entries:
            if not entry.installed:
                continue
            lane = stack.enter_context(
                Lane(benchmark, entry, folder / benchmark.name / entry.name, upstream)
            )
            with _Judging(contest, lanes, entry):
                lane.wait_until_ready()
                lanes[entry.name] = lane
            tick(f"{benchmark.name}: opening {entry.name}")
        for number in range(-1, plan.rounds):
            for case in benchmark.cases:
                _one_round(contest, lanes, case, plan, number=number, tick=tick)
        for name, lane in list(lanes.items()):
            with _Judging(contest, lanes, benchmark.entry(name)):
                lane.check()
    return Table(
        benchmark.name,
        benchmark.title,
        benchmark.operation,
        tuple(contest.lines(benchmark)),
        benchmark.differs,
    )


def _one_round(
    contest: _Contest,
    lanes: dict[str, Lane],
    case: Case,
    plan: Plan,
    *,
    number: int,
    tick: Tick,
) -> None:
    """Let each contender run *case* once; who begins changes, round -1 only warms up.

    Who has used several times its share of the time for *case* sits it out: then its rounds were
    long, and do not need to be many.
    """
    names = list(lanes)
    first = number % len(names) if names else 0
    for name in names[first:] + names[:first]:
        lane = lanes[name]
        rounds = contest.rounds.setdefault((case.name, name), [])
        if sum(done.seconds for done in rounds) < plan.seconds * plan.rounds * _MOST_SHARES:
            with _Judging(contest, lanes, lane.entry):
                done = lane.round(_opening(case) if number < 0 else case, plan.seconds)
                if number >= 0:
                    rounds.append(done)
        tick(f"{case.name}: {name}")


def _opening(case: Case) -> Case:
    """Return *case* as it warms up: with few callers, where each round has a run-in anyway."""
    return evolve(case, callers=min(case.callers, _WARMING_UP)) if case.run_in else case


@frozen
class _Judging:
    """Takes a contender that fails out of the contest and says why; the others go on."""

    contest: _Contest
    lanes: dict[str, Lane]
    entry: Entry

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> bool:
        if not isinstance(error, Failed):
            return False
        self.contest.failed[self.entry.name] = f"failed: {error}"
        self.lanes.pop(self.entry.name, None)
        return True
