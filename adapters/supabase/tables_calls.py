"""Calls of a host's functions: their arguments as JSON, and their rows of what came back."""

from collections.abc import Mapping
from typing import Any

from tollkeeper.adapters.supabase.answers import Answer
from tollkeeper.adapters.supabase.failures import ADAPTER, corrupt, cut_short
from tollkeeper.adapters.supabase.tables_failures import PORT
from tollkeeper.adapters.supabase.tables_values import in_json, read, selected
from tollkeeper.domain.errors import Rejected, Unsupported
from tollkeeper.domain.queries import MOST_ROWS
from tollkeeper.domain.table_values import Kind
from tollkeeper.domain.tables import Function, Row


def arguments_of(function: Function, given: Mapping[str, Any]) -> dict[str, object]:
    """Return checked arguments as the body of a request."""
    return {name: in_json(function.arguments[name], value) for name, value in given.items()}


def columns_of_call(function: Function) -> tuple[str, ...]:
    """Return how the columns of what it returns are asked for; none if it returns single values.

    Raises:
        Unsupported: of a single value of this kind, PostgREST's answer does not tell enough.
    """
    if function.returns is None:
        return ()
    if isinstance(function.returns, str):
        if function.returns in (Kind.JSON, Kind.DECIMAL):
            raise Unsupported(
                f"a single {function.returns} cannot be read from Supabase without doubt; let the "
                "function return a table with a column of it",
                code="function_unsupported",
            )
        return ()
    return tuple(selected(name, kind) for name, kind in function.columns.items())


def rows_of_call(function: Function, answer: Answer) -> tuple[Row, ...]:
    """Return the rows that *function* returned.

    Raises:
        Rejected: they are more than 1,000 (``too_many_rows``), or the server left some out.
        CorruptResponse: they are not as declared.
    """
    if function.returns is None:
        return ()
    data = answer.data if isinstance(answer.data, list) else [answer.data]
    total = len(data) if answer.count is None else answer.count
    if max(total, len(data)) > MOST_ROWS:
        raise Rejected(
            f"a function returns at most {MOST_ROWS} rows, and what it did stands",
            port=PORT,
            adapter=ADAPTER,
            ambiguous=True,
            code="too_many_rows",
        )
    if total > len(data):
        raise cut_short(PORT)
    if isinstance(function.returns, str):
        return tuple({"result": read(function.returns, one, field="result")} for one in data)
    if not all(isinstance(row, dict) and row.keys() >= function.columns.keys() for row in data):
        raise corrupt(PORT)
    return tuple(
        {name: read(kind, row[name], field=name) for name, kind in function.columns.items()}
        for row in data
    )
