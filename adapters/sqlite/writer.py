"""One thread that writes, and puts all that waits into one transaction."""

import asyncio
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import Any

from tollkeeper.adapters.sqlite.connections import patiently
from tollkeeper.adapters.sqlite.failures import closed, translate
from tollkeeper.adapters.sqlite.jobs import Change, Job, hand_over

_LARGEST_BATCH = 128


class Writer:
    """Owns the one connection that writes.

    A commit waits for the disk far longer than it computes, so callers who arrive meanwhile
    share the next one. Each change runs in a savepoint of its own: if it fails, it alone is
    undone. Callers hear of their change when it is committed, not before.
    """

    def __init__(self, connection: sqlite3.Connection, *, lock_timeout: float) -> None:
        self._connection = connection
        self._lock_timeout = lock_timeout
        self._queue: SimpleQueue[Job | None] = SimpleQueue()
        self._gate = threading.Lock()
        self._closing = False
        self._failure: sqlite3.Error | None = None
        self._thread = threading.Thread(target=self._run, name="tollkeeper-sqlite", daemon=True)
        self.commits = 0
        """How many transactions were committed."""

    def start(self) -> None:
        """Begin to work."""
        self._thread.start()

    async def submit(self, change: Change) -> Any:
        """Run *change* in the writer's thread and return what it returns, once it is durable.

        Raises:
            Exception: what *change* raised; nothing of it is kept.
            PortError: the store failed.
        """
        loop = asyncio.get_running_loop()
        job = Job(change, loop, loop.create_future())
        # Without the gate, a change might be queued behind the order to stop and never run.
        with self._gate:
            if self._closing:
                raise closed()
            self._queue.put(job)
        return await job.wait()

    def stop(self) -> None:
        """Finish all that is queued, fold the log into the file and close; blocks.

        Raises:
            PortError: the log could not be folded in; it stays, and nothing is lost.
        """
        with self._gate:
            self._closing = True
            self._queue.put(None)
        self._thread.join()
        if self._failure is not None:
            raise translate(self._failure)

    def _run(self) -> None:
        while (job := self._queue.get()) is not None:
            hand_over(self._commit(job))
        try:
            # While another process reads, this folds in what it can; the last one out does all.
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        except sqlite3.Error as error:
            self._failure = error
        finally:
            self._connection.close()

    def _commit(self, first: Job) -> Sequence[Job]:
        """Commit *first* and all that waits by then; return the jobs whose callers are to hear."""
        batch: list[Job] = []
        ambiguous = False
        try:
            patiently(self._begin, deadline=first.submitted + self._lock_timeout)
            for job in self._waiting(first):
                if job.claim():
                    batch.append(job)
                    self._attempt(job)
            # From here on, an error does not tell whether the log has it.
            ambiguous = True
            self._connection.execute("COMMIT")
            self.commits += 1
        except Exception as error:
            if not batch and first.claim():
                batch.append(first)
            # What was refused meanwhile was refused because of changes that are now undone, so
            # everyone in the batch gets this error.
            for job in batch:
                job.error = translate(error, ambiguous=ambiguous)
            # Where this fails too, the next transaction begins with it.
            with suppress(sqlite3.Error):
                self._roll_back()
        return batch

    def _waiting(self, first: Job) -> Iterator[Job]:
        yield first
        for _ in range(_LARGEST_BATCH - 1):
            try:
                job = self._queue.get_nowait()
            except Empty:
                return
            if job is None:
                # The order to stop is for the thread's own loop, after this transaction.
                self._queue.put(None)
                return
            yield job

    def _begin(self) -> None:
        self._roll_back()
        self._connection.execute("BEGIN IMMEDIATE")

    def _roll_back(self) -> None:
        if self._connection.in_transaction:
            self._connection.execute("ROLLBACK")

    def _attempt(self, job: Job) -> None:
        execute = self._connection.execute
        execute("SAVEPOINT change")
        try:
            job.value = job.change(self._connection)
        except Exception as error:
            # On a full disk, say, SQLite undoes the whole transaction, not the change alone.
            if not self._connection.in_transaction:
                raise
            job.error = translate(error)
            execute("ROLLBACK TO change")
        execute("RELEASE change")
