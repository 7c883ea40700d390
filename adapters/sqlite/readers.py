"""Connections to read from, one caller at a time each."""

import sqlite3
from collections import deque
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


class Readers:
    """Lends connections to any number of threads; each is used by one at a time.

    A reader sees all that was committed before it began, and never waits for a writer. Queries
    must fetch all of their rows: a cursor left half read would keep showing the past.
    """

    def __init__(self, connect: Callable[[], sqlite3.Connection]) -> None:
        self._connect = connect
        self._idle: deque[sqlite3.Connection] = deque()
        self._closed = False

    def run(self, query: Callable[[sqlite3.Connection], T]) -> T:
        """Run *query* in the calling thread.

        Raises:
            sqlite3.Error: as *query* does; its connection is not used again.
        """
        try:
            connection = self._idle.pop()
        except IndexError:
            connection = self._connect()
        try:
            answer = query(connection)
        except sqlite3.Error:
            connection.close()
            raise
        except BaseException:
            self._give_back(connection)
            raise
        self._give_back(connection)
        return answer

    def close(self) -> None:
        """Close the connections; those in use close when their query is done."""
        self._closed = True
        while self._idle:
            self._idle.pop().close()

    def _give_back(self, connection: sqlite3.Connection) -> None:
        self._idle.append(connection)
        if self._closed:
            self.close()
