"""Clocks and makers of identifiers, each with one fault."""

import itertools
import os
import random
import time
from datetime import datetime, timedelta, timezone

from tollkeeper.adapters.memory.identifiers import MemoryIdentifiers
from tollkeeper.adapters.system.clock import SystemClock
from tollkeeper.adapters.system.identifiers import SystemIdentifiers


class NaiveNow(SystemClock):
    def now(self) -> datetime:
        return datetime.now()


class LocalNow(SystemClock):
    def now(self) -> datetime:
        return datetime.now(timezone(timedelta(hours=2)))


class NowAsNumber(SystemClock):
    def now(self) -> datetime:
        return time.time()  # type: ignore[return-value]


class GoesBack(SystemClock):
    __slots__ = ("_turn",)

    def __init__(self) -> None:
        self._turn = 0

    def monotonic(self) -> float:
        self._turn += 1
        return time.monotonic() - (self._turn % 100 == 0)


class CountsMilliseconds(SystemClock):
    def monotonic(self) -> float:
        return time.monotonic() * 1_000_000


class WholeSeconds(SystemClock):
    def monotonic(self) -> float:
        return int(time.monotonic())


class FewIdentifiers(SystemIdentifiers):
    def new(self, kind: str) -> str:
        return f"{kind}_{random.getrandbits(20)}"


class OwnCount(MemoryIdentifiers):
    def __init__(self) -> None:
        super().__init__("same")


class RacyCount(SystemIdentifiers):
    __slots__ = ("_last",)
    _made_by = itertools.count()

    def __init__(self) -> None:
        self._last = next(self._made_by) << 40

    def new(self, kind: str) -> str:
        super().new(kind)
        last = self._last
        time.sleep(0)
        self._last = last + 1
        return f"{kind}_{self._last}"


class LongIdentifiers(SystemIdentifiers):
    def new(self, kind: str) -> str:
        return f"{super().new(kind)}{'0' * 60}"


class DashedIdentifiers(SystemIdentifiers):
    def new(self, kind: str) -> str:
        return super().new(kind).replace("_", "_-", 1)


class NamelessIdentifiers(SystemIdentifiers):
    def new(self, kind: str) -> str:
        return super().new(kind).partition("_")[2]


class AnyKind(SystemIdentifiers):
    def new(self, kind: str) -> str:
        return f"{kind}_{os.urandom(10).hex()}"


class TooFewBytes(SystemIdentifiers):
    def random_bytes(self, size: int) -> bytes:
        return os.urandom(min(size, 64))


class BytesAgain(SystemIdentifiers):
    def random_bytes(self, size: int) -> bytes:
        return random.Random(0).randbytes(size)


class HexBytes(SystemIdentifiers):
    def random_bytes(self, size: int) -> bytes:
        return os.urandom(size).hex().encode()[:size]
