"""Random pools of keys, some refused and some limited: no ready key is left unasked."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from attrs import frozen
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.application.asked_models import KeyedModel, answer, ask, failing, limited, streamed
from tests.application.virtual_time import LoopClock, run
from tests.application.world import open_world
from tollkeeper import Secret
from tollkeeper.application.key_pools import PoolKey
from tollkeeper.domain.attempts import Attempt
from tollkeeper.domain.chat import ChatRequest
from tollkeeper.domain.credentials import Credential
from tollkeeper.domain.errors import CredentialsRefused, Throttled

FATES = st.sampled_from(["works", "refused", "limited"])


@frozen
class Pool:
    """What the provider makes of each key, by weight, and how often a call may ask."""

    keys: tuple[tuple[str, int], ...]
    tries: int
    fallback: bool
    streamed: bool


POOLS = st.builds(
    Pool,
    keys=st.lists(st.tuples(FATES, st.integers(1, 9)), min_size=1, max_size=6).map(tuple),
    tries=st.integers(1, 10),
    fallback=st.booleans(),
    streamed=st.booleans(),
)


class Provider(KeyedModel):
    """Says to each key what its label begins with."""

    def stream(self, request: ChatRequest, *, credential: Credential | None = None) -> Any:
        assert credential is not None
        script = {
            "works": answer(),
            "refused": failing(CredentialsRefused, status=403),
            "limited": limited(300),
        }
        self._answers = [tuple(script[credential.label.partition("-")[0]])]
        return super().stream(request, credential=credential)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("pools")


@settings(deadline=None, max_examples=150, suppress_health_check=list(HealthCheck))
@given(pool=POOLS, calls=st.integers(1, 3))
def test_no_ready_key_is_left_unasked_and_none_is_asked_in_vain(
    folder: Path, pool: Pool, calls: int
) -> None:
    run(lambda: _checked(pool, folder, calls))


async def _checked(pool: Pool, folder: Path, calls: int) -> None:
    keys = tuple(
        PoolKey(f"{fate}-{number}", Secret(f"k{number}"), weight=weight)
        for number, (fate, weight) in enumerate(pool.keys)
    )
    options = {
        "key_pools": {"tokens": keys},
        "chat_models": {"tokens": "offline://"},
        "tries": pool.tries,
        "fallbacks": {"tokens/m": ("spare/m",)} if pool.fallback else {},
    }
    models = {"tokens": Provider("tokens"), "spare": KeyedModel("spare", answer("spare"))}
    async with open_world(folder, options=options, clock=LoopClock(), chat_models=models) as world:
        resting: set[str] = set()
        for _ in range(calls):
            wanted: dict[str, Any] = {"timeout": timedelta(seconds=30)}  # shorter than any rest
            attempts: tuple[Attempt, ...]
            provider = ""
            try:
                found = await (
                    streamed(world, **wanted).completion()
                    if pool.streamed
                    else ask(world, **wanted)
                )
                attempts, provider = found.attempts, found.provider
            except (CredentialsRefused, Throttled) as error:
                attempts = error.attempts
            mine = [each for each in attempts if each.provider == "tokens"]
            ready = {key.label for key in keys} - resting
            _check_call(pool, mine, ready, answered=provider == "tokens")
            assert (provider == "spare") == (pool.fallback and not _worked(mine))
            resting |= {each.credential for each in mine if each.error}


def _worked(attempts: list[Attempt]) -> bool:
    return bool(attempts) and not attempts[-1].error


def _check_call(pool: Pool, attempts: list[Attempt], ready: set[str], *, answered: bool) -> None:
    labels = [each.credential for each in attempts]
    assert len(labels) == len(set(labels)) <= pool.tries
    assert set(labels) <= ready
    for each in attempts[:-1]:
        assert each.error in ("credentials_refused", "throttled")
    assert answered == _worked(attempts)
    if not answered:
        # All tries were used, or every key was: nobody stops while one is ready.
        assert len(labels) == pool.tries or set(labels) == ready
