"""The file, opened: one writer, and connections to read from."""

import asyncio
import os
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from anyio import to_thread
from attrs import frozen

from tollkeeper.adapters.sqlite.connections import absolute, connect, open_file
from tollkeeper.adapters.sqlite.failures import UNSTORABLE, closed, forked, is_busy, translate
from tollkeeper.adapters.sqlite.jobs import settled
from tollkeeper.adapters.sqlite.readers import Readers
from tollkeeper.adapters.sqlite.writer import Writer
from tollkeeper.domain.errors import ConfigurationError

T = TypeVar("T")


@frozen
class Opened:
    """What an open file is made of, in the process that opened it."""

    process: int
    writer: Writer
    readers: Readers
    patient_readers: Readers


class Database:
    """Runs changes and queries against one file; made closed, and may be reopened.

    Any number of event loops and threads may use it at once, and any number of processes the
    file, each through a database opened after it was forked: SQLite keeps the locks of a file
    per process, and a child that inherits an open file believes that it holds its parent's.
    """

    def __init__(self, path: Path, *, lock_timeout: float) -> None:
        self._path = path
        self._lock_timeout = lock_timeout
        self._opened: Opened | None = None
        self._opening = False
        self._commits = 0

    @property
    def commits(self) -> int:
        """How many transactions this database has committed."""
        writer = self._opened.writer.commits if self._opened is not None else 0
        return self._commits + writer

    async def open(self) -> None:
        """Open the file; make it if there is none.

        Raises:
            ConfigurationError: it cannot be made, is no store of ours, or is open already.
            PortError: it is locked or damaged.
        """
        if self._opened is not None or self._opening:
            raise ConfigurationError("store: it is open already; open it once, and share it")
        self._opening = True
        starting = asyncio.ensure_future(to_thread.run_sync(self._start))
        try:
            self._opened = await asyncio.shield(starting)
        except asyncio.CancelledError:
            await settled(starting)
            if starting.exception() is None:
                self._opened = starting.result()
                await self.close()
            raise
        finally:
            self._opening = False

    def _start(self) -> Opened:
        path = absolute(self._path)
        writer = Writer(
            open_file(path, lock_timeout=self._lock_timeout), lock_timeout=self._lock_timeout
        )
        writer.start()
        return Opened(
            process=os.getpid(),
            writer=writer,
            readers=Readers(lambda: connect(path)),
            patient_readers=Readers(lambda: connect(path, busy_timeout=self._lock_timeout)),
        )

    async def close(self) -> None:
        """Finish what is queued, close all connections and fold the log into the file.

        Raises:
            PortError: the log could not be folded in; nothing is lost.
        """
        opened = self._open()
        self._opened = None
        opened.readers.close()
        opened.patient_readers.close()
        # The writer goes last: the last connection to close removes the log.
        stopping = asyncio.ensure_future(to_thread.run_sync(opened.writer.stop))
        try:
            await asyncio.shield(stopping)
        finally:
            await settled(stopping)
            self._commits += opened.writer.commits

    async def change(self, change: Callable[[sqlite3.Connection], T]) -> T:
        """Run *change* in the writer's thread, and return once what it did is durable.

        Raises:
            Exception: what *change* raised; nothing of it is kept.
            PortError: the store is closed or failed.
        """
        answer: T = await self._open().writer.submit(change)
        return answer

    async def look_up(self, query: Callable[[sqlite3.Connection], T]) -> T:
        """Run a *query* of a few rows, here and now.

        It blocks the event loop for tens of microseconds; a thread would take ten times as long,
        and every call looks up a key. Where the file is locked (another process recovers the
        log), the query moves to a thread and waits there.

        Raises:
            PortError: the store is closed or failed.
        """
        try:
            return self._open().readers.run(query)
        except sqlite3.Error as error:
            if not is_busy(error):
                raise translate(error) from error
        except UNSTORABLE as error:
            raise translate(error) from error
        return await self.scan(query)

    async def scan(self, query: Callable[[sqlite3.Connection], T]) -> T:
        """Run a *query* of any size in a thread.

        Raises:
            PortError: the store is closed or failed.
        """
        try:
            return await to_thread.run_sync(self._open().patient_readers.run, query)
        except (sqlite3.Error, *UNSTORABLE) as error:
            raise translate(error) from error

    def _open(self) -> Opened:
        opened = self._opened
        if opened is None:
            raise closed()
        if opened.process != os.getpid():
            raise forked()
        return opened
