"""How much each key has used of its quota, in SQLite."""

import sqlite3
from datetime import datetime, timedelta

from tollkeeper.adapters.sqlite.database import Database
from tollkeeper.adapters.sqlite.rows import to_micros
from tollkeeper.domain.key_limits import Quota, QuotaUse, checked_calls

_USED = "SELECT used FROM quota_uses WHERE key_id = ? AND period = ? AND since = ?"
_PUT = """
    INSERT INTO quota_uses (key_id, period, since, used) VALUES (?, ?, ?, ?)
    ON CONFLICT (key_id, period, since) DO UPDATE SET used = excluded.used
"""
_FORGET = "DELETE FROM quota_uses WHERE key_id = ? AND period = ? AND since < ?"
_KEPT = timedelta(days=62) // timedelta(microseconds=1)


class SqliteQuotaCounter:
    """Counts the calls of keys in one file.

    Periods that began more than two months before the key's present one are forgotten.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    async def take(self, key_id: str, quota: Quota, *, at: datetime, calls: int = 1) -> bool:
        """Count *calls* in the period of *at*, if *quota* still allows all of them."""
        place, calls = _place(key_id, quota, at), checked_calls(calls)

        def change(connection: sqlite3.Connection) -> bool:
            before = _used(connection, place)
            if before + calls > quota.calls:
                return False
            connection.execute(_PUT, (*place, before + calls))
            if not before:  # as often as a period begins, which is seldom
                key_id, period, since = place
                connection.execute(_FORGET, (key_id, period, since - _KEPT))
            return True

        return await self._database.change(change)

    async def give_back(self, key_id: str, quota: Quota, *, at: datetime, calls: int = 1) -> None:
        """Take back what :meth:`take` counted at *at*."""
        place, calls = _place(key_id, quota, at), checked_calls(calls)

        def change(connection: sqlite3.Connection) -> None:
            if used := _used(connection, place):
                connection.execute(_PUT, (*place, max(0, used - calls)))

        await self._database.change(change)

    async def used(self, key_id: str, quota: Quota, *, at: datetime) -> QuotaUse:
        """Return what is counted in the period of *at*."""
        place = _place(key_id, quota, at)
        used = await self._database.look_up(lambda connection: _used(connection, place))
        return QuotaUse(since=quota.starts(at), used=used)


def _place(key_id: str, quota: Quota, at: datetime) -> tuple[str, str, int]:
    return key_id, quota.period.value, to_micros(quota.starts(at))


def _used(connection: sqlite3.Connection, place: tuple[str, str, int]) -> int:
    found = connection.execute(_USED, place).fetchall()
    return int(found[0][0]) if found else 0
