"""Finding a secret where it must not be: push a canary through, then look everywhere.

::

    with recorded_logs() as logs:
        error = await failing_call()
    assert_no_trace(canaries_of_token(token), error, logs, entries, sqlite_file(path))

A *place* is an exception (its whole chain, with the locals of every frame), recorded logs, a
:class:`~pathlib.Path` (its bytes), text, bytes, or any object (all that is reachable in it).
"""

import base64
import json
import logging
import pickle
import traceback
import urllib.parse
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType

import asyncpg
import attrs
from rich.traceback import Traceback

from tollkeeper.domain.audit import AuditKey
from tollkeeper.domain.key_tokens import Pepper
from tollkeeper.domain.secret import Secret

SHORTEST = 16
"""A shorter canary may be met by accident."""
SEALED = (Secret, Pepper, AuditKey)
"""What holds secrets on purpose: it must not show them, but one may look no further."""
_TESTS = str(Path(__file__).parent)
_WIDE = 10_000
_DEEPEST = 30
Canary = str | bytes
Shown = Iterator[tuple[str, str | bytes]]


def canaries_of_token(token: str) -> tuple[str, ...]:
    """Return what of an API key's *token* nothing may hold: its secret part, and both halves."""
    secret = token[-49:]
    return secret, secret[:24], secret[24:]


def assert_no_trace(canaries: Iterable[Canary], *places: object) -> None:
    """Check that no place shows a canary: as it is, escaped, quoted, in hex or in base64."""
    forms = {form for canary in canaries for form in _forms(canary)}
    assert forms, "there is nothing to look for"
    seen: set[str | bytes] = set()
    found: set[str] = set()
    for name, shown in _everywhere(places):
        if shown not in seen:
            seen.add(shown)
            raw = _bytes(shown)
            if any(form in raw for form in forms):
                found.add(name)
    assert not found, f"a canary is shown by: {'; '.join(sorted(found))}"


def _forms(canary: Canary) -> Iterator[bytes]:
    assert len(canary) >= SHORTEST, "so short a canary proves nothing"
    raw = _bytes(canary)
    yield raw
    yield raw.hex().encode()
    yield raw.hex().upper().encode()
    yield repr(raw)[2:-1].encode()
    yield urllib.parse.quote(raw).encode()
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        for skipped in range(3):  # a text may hold it at any of three alignments
            yield encode(raw[skipped:])[: (len(raw) - skipped) // 3 * 4]
    if isinstance(canary, str):
        yield repr(canary)[1:-1].encode("utf-8", "surrogatepass")
        yield json.dumps(canary)[1:-1].encode()
        yield canary.encode("utf-16-le", "surrogatepass")


def _bytes(shown: str | bytes) -> bytes:
    return shown.encode("utf-8", "surrogatepass") if isinstance(shown, str) else shown


def _everywhere(places: Iterable[object]) -> Shown:
    for number, place in enumerate(places):
        for name, shown in _shown_by(place):
            yield f"place {number}: {name}", shown


def _shown_by(place: object) -> Shown:
    if isinstance(place, BaseException):
        yield from shown_by_error(place)
    elif isinstance(place, RecordedLogs):
        yield from place.shown()
    elif isinstance(place, Path):
        yield f"the file {place.name}", place.read_bytes()
    else:
        yield from shown_by_object(place)


def shown_by_error(error: BaseException) -> Shown:
    """Go through what an exception shows: tracebacks with locals, plain and by rich, and itself.

    Frames of the tests that lead to the first of other code are left out: they hold the canary.
    """
    below = _below_tests(error.__traceback__)
    try:
        plain = traceback.TracebackException(type(error), error, below, capture_locals=True)
    except Exception:  # a local that is only half made, which has no repr yet
        plain = traceback.TracebackException(type(error), error, below)
        for each in _chain(error):
            yield from _locals_of(below if each is error else each.__traceback__)
    yield "its traceback", "".join(plain.format())
    rich = Traceback.extract(
        type(error), error, below, show_locals=True, locals_max_length=20, locals_max_string=1000,
        locals_hide_dunder=False,
    )  # fmt: skip
    # What it would print; to colour it, and to fill its lines, takes a hundred times as long.
    for frame in (frame for stack in rich.stacks for frame in stack.frames):
        for name, local in (frame.locals or {}).items():
            yield f"the local {name} of {frame.name}, by rich", local.render(max_width=_WIDE)
    for each in _chain(error):
        yield from shown_by_object([each, each.args, vars(each)], f"{type(each).__name__}")


def _locals_of(frames: TracebackType | None) -> Shown:
    for frame, _ in traceback.walk_tb(frames):
        for name, local in frame.f_locals.items():
            with suppress(Exception):
                yield f"the local {name} of {frame.f_code.co_name}", repr(local)


def _below_tests(frames: TracebackType | None) -> TracebackType | None:
    below = frames
    while below is not None and below.tb_frame.f_code.co_filename.startswith(_TESTS):
        below = below.tb_next
    return below if below is not None else frames


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    waiting, seen = [error], set()
    while waiting:
        each = waiting.pop()
        if each is not None and id(each) not in seen:
            seen.add(id(each))
            yield each
            waiting += [each.__cause__, each.__context__]
            waiting += each.exceptions if isinstance(each, BaseExceptionGroup) else []


def shown_by_object(root: object, name: str = "") -> Shown:
    """Go through what an object, and each that is reachable in it, shows of itself."""
    waiting: list[tuple[str, object, int]] = [(name or type(root).__name__, root, 0)]
    seen: dict[int, object] = {}
    while waiting:
        where, each, depth = waiting.pop()
        if id(each) in seen or depth > _DEEPEST:
            continue
        seen[id(each)] = each  # kept, so that no other gets its id
        yield from _renderings(where, each)
        if not isinstance(each, SEALED):
            waiting += [(f"{where}{step}", part, depth + 1) for step, part in _parts(each)]


def _renderings(where: str, each: object) -> Shown:
    if isinstance(each, str | bytes):
        yield where, each
        return
    for how in (repr, str, format):
        yield f"{how.__name__} of {where}", how(each)
    try:
        pickled = pickle.dumps(each)
    except Exception:
        return  # what cannot be pickled shows nothing, whatever it says
    yield f"pickle of {where}", pickled


def _parts(each: object) -> Iterator[tuple[str, object]]:
    if isinstance(each, Mapping):
        for key, value in each.items():
            yield ".key", key
            yield f"[{key!s:.20}]", value
    elif isinstance(each, list | tuple | set | frozenset):
        yield from ((f"[{number}]", part) for number, part in enumerate(each))
    elif attrs.has(cls := type(each)):
        names = [field.name for field in attrs.fields(cls)]
        yield from ((f".{name}", getattr(each, name, None)) for name in names)
    elif type(each).__module__.startswith("tollkeeper") and hasattr(each, "__dict__"):
        yield from ((f".{name}", value) for name, value in vars(each).items())


class RecordedLogs(logging.Handler):
    """Keeps every record of every logger."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep *record*."""
        self.records.append(record)

    def shown(self) -> Shown:
        """Go through what the records say, each with its arguments and its exception."""
        for record in self.records:
            name = f"a record of {record.name}"
            yield name, record.getMessage()
            for part in (record.args, record.__dict__.get("extra"), record.stack_info):
                yield from shown_by_object(part, name)
            if record.exc_info and record.exc_info[1] is not None:
                yield from shown_by_error(record.exc_info[1])


@contextmanager
def recorded_logs() -> Iterator[RecordedLogs]:
    """Record what all loggers say at DEBUG while the block runs."""
    handler, root = RecordedLogs(), logging.getLogger()
    named = [logging.getLogger(name) for name in list(logging.root.manager.loggerDict)]
    before = [(each, each.level, each.disabled, each.propagate) for each in (root, *named)]
    for each, *_ in before:
        each.setLevel(logging.DEBUG)
        each.disabled, each.propagate = False, True
    root.addHandler(handler)
    try:
        yield handler
    finally:
        root.removeHandler(handler)
        for each, level, disabled, propagate in before:
            each.setLevel(level)
            each.disabled, each.propagate = disabled, propagate


def sqlite_files(file: Path) -> list[Path]:
    """Return the files in which a SQLite database keeps what it was given."""
    return [each for each in file.parent.iterdir() if each.name.startswith(file.name)]


async def postgres_rows(url: str) -> list[str]:
    """Return every row of every table of the database at *url*, as text; bytes are in hex."""
    connection = await asyncpg.connect(url)
    try:
        tables = await connection.fetch(
            "SELECT format('%I.%I', schemaname, tablename) AS name FROM pg_tables "
            "WHERE schemaname NOT IN ('pg_catalog', 'information_schema')"
        )
        rows: list[str] = []
        for table in tables:
            # The name is quoted by the server itself.
            found = await connection.fetch(f"SELECT t::text AS row FROM {table['name']} t")
            rows += [row["row"] for row in found]
    finally:
        await connection.close()
    return rows
