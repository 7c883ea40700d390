"""Settings and an open facade for one command."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import typer
from attrs import frozen

from tollkeeper.infra.cli import exits

if TYPE_CHECKING:
    from tollkeeper.infra.container import Container
    from tollkeeper.infra.facade import Tollkeeper
    from tollkeeper.infra.settings import Settings

T = TypeVar("T")

KEY_VARIABLE = "TOLLKEEPER_KEY"
"""Holds the caller's API key: an argument of `complete`, not a setting."""


@frozen
class Chosen:
    """The global options, as they were given."""

    environment: str | None = None
    file: Path | None = None

    @property
    def given(self) -> bool:
        """Whether any of them was."""
        return self.environment is not None or self.file is not None


def load_settings(ctx: typer.Context, more: Mapping[str, str] | None = None) -> "Settings":
    """Load the settings that the global options choose; *more* variables override."""
    from tollkeeper.infra.settings import Settings

    chosen = ctx.find_object(Chosen) or Chosen()
    return Settings.load(
        environment="local" if chosen.environment is None else chosen.environment,
        file=chosen.file,
        environ={**os.environ, **(more or {})},
    )


def execute(work: Callable[[], Awaitable[T]]) -> T:
    """Run *work* to its end; SIGTERM and SIGHUP end it as Ctrl-C does: what came so far is charged.

    Raises:
        KeyboardInterrupt: Ctrl-C was pressed, and *work* has cleaned up.
        typer.Exit: the process was asked to terminate, and *work* has cleaned up.
    """
    terminated = False

    async def run() -> T:
        loop = asyncio.get_running_loop()
        task = asyncio.current_task()

        def terminate() -> None:
            nonlocal terminated
            terminated = True
            if task is not None:
                task.cancel()

        # Some platforms, and all threads but the first, take no signals: the clock frees the hold.
        with suppress(AttributeError, NotImplementedError, RuntimeError, ValueError):
            loop.add_signal_handler(signal.SIGTERM, terminate)
            # A terminal that closes; who started us with nohup wants us to go on.
            if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
                loop.add_signal_handler(signal.SIGHUP, terminate)
        return await work()

    try:
        return asyncio.run(run())
    except asyncio.CancelledError:
        if terminated:
            exits.say_error("terminated")
            raise typer.Exit(exits.TERMINATED) from None
        raise


def with_tollkeeper(settings: "Settings", work: "Callable[[Tollkeeper], Awaitable[T]]") -> T:
    """Open a facade, do *work* with it and close it."""

    async def run() -> T:
        from tollkeeper.infra.bootstrap import open_tollkeeper

        async with open_tollkeeper(settings) as tk:
            return await work(tk)

    return execute(run)


@asynccontextmanager
async def opened_container(settings: "Settings") -> "AsyncIterator[Container]":
    """Open the adapters alone: unlike the facade, this expires no hold on the way in."""
    from tollkeeper.infra.bootstrap import make_container

    container = make_container(settings)
    await _if_needed(container.init_resources())
    try:
        yield container
    finally:
        await _if_needed(container.shutdown_resources())


async def _if_needed(step: Any) -> None:
    if step is not None:
        await step
