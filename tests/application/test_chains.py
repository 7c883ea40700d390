"""Chains of fallbacks: who is asked after whom, for how long, and which failure is told."""

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.application.asked_models import answer, ask, failing, limited, streamed
from tests.application.virtual_time import LoopClock, in_virtual_time
from tests.application.world import World, open_world
from tollkeeper import Completion
from tollkeeper.adapters.memory.chat_model import MemoryChatModel
from tollkeeper.domain.chat import ChatRequest
from tollkeeper.domain.credentials import Credential
from tollkeeper.domain.errors import (
    ContentFiltered,
    ContextWindowExceeded,
    PortError,
    Rejected,
    Throttled,
    Unavailable,
)

SECOND = timedelta(seconds=1)
CATALOGUE = """
[[models]]
id = "spare/a"
larger = "spare/a-large"
unfiltered = "spare/a-free"
[[models]]
id = "spare/a-large"
larger = "spare/a-huge"
[[models]]
id = "spare/a-huge"
larger = "spare/a"
[[models]]
id = "spare/a-free"
[[models]]
id = "spare/b"
larger = "spare/b-large"
[[models]]
id = "spare/b-large"
[[models]]
id = "spare/c"
"""
OVERFLOW = failing(ContextWindowExceeded, status=400)
FILTERED = failing(ContentFiltered, status=400)
BOTH = {"overflow_fallback": True, "filter_fallback": True}
STEADY = {"retry_pause": timedelta(0)}


class Scripted(MemoryChatModel):
    """Answers by the model's name; what the script does not name answers with its name."""

    def __init__(self, script: dict[str, list[Any]]) -> None:
        super().__init__()
        self.script = {name: list(coming) for name, coming in script.items()}
        self.asked: list[tuple[str, float]] = []

    def stream(self, request: ChatRequest, *, credential: Credential | None = None) -> Any:
        now = asyncio.get_running_loop().time()
        self.asked.append((request.model, now))
        coming = self.script.get(request.model, [answer(request.model)])
        items = coming.pop(0) if len(coming) > 1 else coming[0]
        return MemoryChatModel(items).stream(request, credential=credential)

    @property
    def names(self) -> list[str]:
        """The models that were asked, in order."""
        return [name for name, _ in self.asked]


async def _asked(world: World, stream: bool = False, **options: Any) -> Completion:
    options = {"model": "spare/a", "fallbacks": ["spare/b", "spare/c"], **options}
    return await (streamed(world, **options).completion() if stream else ask(world, **options))


def _world(folder: Path, model: Scripted, **options: Any) -> Any:
    file = folder / "catalogue.toml"
    file.write_text(CATALOGUE)
    options = {"catalogue": str(file), "tries": 1, **options}
    models = {"spare": model}
    return open_world(folder, options=options, clock=LoopClock(), chat_models=models)


@in_virtual_time
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("failure", [OVERFLOW, FILTERED], ids=["overflow", "filter"])
@pytest.mark.parametrize("options", [{}, BOTH], ids=["plain", "configured"])
async def test_a_fallback_that_cannot_take_the_request_is_not_the_end(
    tmp_path: Path, failure: list[Any], options: dict[str, Any], stream: bool
) -> None:
    larger = [failure] if failure is OVERFLOW else [answer()]
    model = Scripted({"a": [failing()], "b": [failure], "b-large": larger})
    async with _world(tmp_path, model, **options) as world:
        assert (await _asked(world, stream)).text == "c"
        between = ["b-large"] if options and failure is OVERFLOW else []
        assert model.names == ["a", "b", *between, "c"]


@in_virtual_time
async def test_a_fallback_that_overflows_is_followed_by_its_own_larger_model(
    tmp_path: Path,
) -> None:
    model = Scripted({"a": [failing()], "b": [OVERFLOW]})
    async with _world(tmp_path, model, overflow_fallback=True) as world:
        found = await _asked(world)
        assert found.text == "b-large"
        assert model.names == ["a", "b", "b-large"]
        assert found.receipt is not None
        assert found.receipt.model == "spare/b-large"
        assert [each.model for each in found.attempts] == ["spare/a", "spare/b", "spare/b-large"]


@in_virtual_time
async def test_windows_grow_until_one_is_large_enough(tmp_path: Path) -> None:
    model = Scripted({"a": [OVERFLOW], "a-large": [OVERFLOW]})
    async with _world(tmp_path, model, overflow_fallback=True) as world:
        assert (await _asked(world, fallbacks=[])).text == "a-huge"
        assert model.names == ["a", "a-large", "a-huge"]


@in_virtual_time
async def test_each_model_is_asked_once_however_they_name_each_other(tmp_path: Path) -> None:
    names = ("a", "a-large", "a-huge", "a-free", "b", "b-large", "c")
    model = Scripted({name: [OVERFLOW] for name in names})
    async with _world(tmp_path, model, **BOTH) as world:
        with pytest.raises(ContextWindowExceeded):
            await _asked(world, fallbacks=["spare/a-huge", "spare/b", "spare/b-large", "spare/c"])
        assert model.names == ["a", "a-large", "a-huge", "b", "b-large", "c"]


@in_virtual_time
async def test_a_larger_model_that_is_down_is_followed_by_the_fallbacks(tmp_path: Path) -> None:
    model = Scripted({"a": [OVERFLOW], "a-large": [failing()]})
    async with _world(tmp_path, model, overflow_fallback=True) as world:
        assert (await _asked(world)).text == "b"
        assert model.names == ["a", "a-large", "b"]


@in_virtual_time
@pytest.mark.parametrize("hedged", [False, True], ids=["one-by-one", "hedged"])
@pytest.mark.parametrize(
    ("script", "told", "asked"),
    [
        ({"a": OVERFLOW, "a-large": failing(), "b": failing(), "c": failing()}, "overflow", 4),
        ({"a": FILTERED, "a-free": OVERFLOW, "b": failing(Rejected)}, "filter", 3),
        ({"a": failing(), "b": FILTERED, "c": OVERFLOW}, "unavailable", 3),
        ({"a": failing(), "b": OVERFLOW, "b-large": limited(), "c": FILTERED}, "throttled", 4),
        ({"a": failing(Rejected)}, "rejected", 1),
    ],
    ids=["larger-down", "rejected-behind", "first-down", "limited-last", "stop"],
)
async def test_the_error_is_the_one_that_tells_the_caller_most(
    tmp_path: Path, script: dict[str, list[Any]], told: str, asked: int, hedged: bool
) -> None:
    kinds: dict[str, type[PortError]] = {
        "overflow": ContextWindowExceeded,
        "filter": ContentFiltered,
        "unavailable": Unavailable,
        "throttled": Throttled,
        "rejected": Rejected,
    }
    model = Scripted({name: [failure] for name, failure in script.items()})
    async with _world(tmp_path, model, **BOTH) as world:
        more: dict[str, Any] = {"hedge_after": SECOND} if hedged else {}
        with pytest.raises(kinds[told]) as caught:
            await _asked(world, **more)
        assert len(model.asked) == asked
        assert len(caught.value.attempts) == asked


@in_virtual_time
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("kind", [Throttled, Unavailable], ids=lambda kind: kind.__name__)
async def test_a_long_pause_is_not_slept_out_while_a_fallback_is_ready(
    tmp_path: Path, kind: type[PortError], stream: bool
) -> None:
    pausing = failing(kind, status=503, retry_after=SECOND * 30)
    model = Scripted({"a": [pausing, answer("a")]})
    async with _world(tmp_path, model, tries=3) as world:
        assert (await _asked(world, stream)).text == "b"
        assert model.asked == [("a", 0), ("b", 0)]


@in_virtual_time
@pytest.mark.parametrize("bound", [2, 8])
async def test_a_pause_within_the_longest_back_off_is_slept_out(tmp_path: Path, bound: int) -> None:
    options = {"tries": 3, "longest_retry_pause": SECOND * bound, **STEADY}
    for asked, expected in ((bound, "a"), (bound + 1, "b")):
        model = Scripted({"a": [limited(asked), answer("a")]})
        async with _world(tmp_path, model, **options) as world:
            assert (await _asked(world)).text == expected


@in_virtual_time
async def test_if_no_fallback_answers_the_pause_is_waited_for_after_all(tmp_path: Path) -> None:
    model = Scripted({"a": [limited(30), answer("a")], "b": [failing()], "c": [OVERFLOW]})
    async with _world(tmp_path, model, tries=2, **STEADY) as world:
        found = await _asked(world)
        assert found.text == "a"
        assert model.asked == [("a", 0), ("b", 0), ("b", 0), ("c", 0), ("a", 30)]
        assert len(found.attempts) == 5


@in_virtual_time
async def test_those_who_asked_for_pauses_are_asked_again_as_their_times_come(
    tmp_path: Path,
) -> None:
    model = Scripted({"a": [limited(40)], "b": [limited(20)], "c": [limited(30)]})
    async with _world(tmp_path, model, tries=2, **STEADY) as world:
        with pytest.raises(Throttled):
            await _asked(world)
        assert model.asked == [("a", 0), ("b", 0), ("c", 0), ("b", 20), ("c", 30), ("a", 40)]


@in_virtual_time
async def test_a_pause_beyond_the_deadline_is_never_waited_for(tmp_path: Path) -> None:
    model = Scripted({"a": [limited(30)], "b": [failing()], "c": [failing()]})
    async with _world(tmp_path, model, tries=2, **STEADY) as world:
        with pytest.raises(Unavailable):
            await _asked(world, timeout=SECOND * 20)
        assert model.names == ["a", "b", "b", "c", "c"]
        assert asyncio.get_running_loop().time() == 0


@in_virtual_time
async def test_a_call_without_fallbacks_sleeps_out_what_it_is_asked_for(tmp_path: Path) -> None:
    model = Scripted({"a": [limited(30), answer("a")]})
    async with _world(tmp_path, model, tries=2, **STEADY) as world:
        assert (await _asked(world, fallbacks=[])).text == "a"
        assert model.asked == [("a", 0), ("a", 30)]


@in_virtual_time
async def test_the_hold_covers_the_larger_models_of_fallbacks(tmp_path: Path) -> None:
    file = tmp_path / "models.toml"
    file.write_text(
        '[[models]]\nid = "tokens/b"\nlarger = "spare/large"\n[[models]]\nid = "spare/large"\n'
    )
    models = {"tokens": MemoryChatModel(answer()), "spare": MemoryChatModel(answer())}
    held = []
    for allowed in (False, True):
        options = {"catalogue": str(file), "overflow_fallback": allowed}
        async with open_world(
            tmp_path, options=options, clock=LoopClock(), chat_models=models
        ) as world:
            found = await ask(world, fallbacks=["tokens/b"])
            assert found.receipt is not None
            held.append(found.receipt.held.nanos)
    assert held[1] == 10 * held[0]  # what the spare models cost
