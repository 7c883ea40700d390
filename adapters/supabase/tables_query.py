"""Questions to tables as the parameters of PostgREST's URLs.

All conditions stand in one tree, ``and=(…)``, where each text is quoted: a column may be called
as a parameter is, and no value can be taken for anything else. URLs have a bounded length, so a
question with a long list is asked in several.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from urllib.parse import urlencode

from attrs import evolve

from tollkeeper.adapters.supabase.tables_values import in_url, selected
from tollkeeper.domain.errors import InvalidRequest
from tollkeeper.domain.filters import (
    And,
    Compare,
    Comparison,
    Everything,
    Filter,
    IsNull,
    Not,
    OneOf,
    Or,
)
from tollkeeper.domain.queries import Order, Query
from tollkeeper.domain.table_values import Kind
from tollkeeper.domain.tables import Table

LONGEST = 7000
"""How many characters the parameters may have: gateways refuse much more."""
_OPERATORS = {
    Comparison.EQ: "eq",
    Comparison.NE: "neq",
    Comparison.LT: "lt",
    Comparison.LE: "lte",
    Comparison.GT: "gt",
    Comparison.GE: "gte",
}
_PLAIN = (Kind.BOOLEAN, Kind.INTEGER, Kind.FLOAT, Kind.DECIMAL, Kind.DATE, Kind.UUID)
"""What has no sign in it that means something; quotes would but make URLs longer."""
_SPECIAL = re.compile(r"[\\.^$*+?()\[\]{}|]")
Parameters = Mapping[str, str]


def of_where(table: Table, where: Filter) -> Parameters:
    """Return the parameters of a condition.

    Raises:
        InvalidRequest: it does not fit into a URL (code ``filter_too_long``).
    """
    found = {"and": f"({_condition(table, where)})"}
    if _length(found) > LONGEST:
        raise _too_long()
    return found


def of_query(query: Query) -> Parameters:
    """Return the parameters of a question, but for the columns."""
    return {
        "and": f"({_condition(query.table, query.where)})",
        "order": ",".join(_order(query.table, part) for part in query.order),
        "limit": str(query.sought),
    }


def columns_of(table: Table, names: Sequence[str]) -> tuple[str, ...]:
    """Return how the columns *names* are asked for."""
    return tuple(selected(name, table.columns[name].kind) for name in names)


def in_parts(query: Query) -> Sequence[Query]:
    """Return questions that fit into a URL each, and of which together all rows are *query*'s.

    Raises:
        InvalidRequest: that cannot be done (code ``filter_too_long``).
    """
    too_much = _length(of_query(query)) - LONGEST
    if too_much <= 0:
        return [query]
    conjuncts = list(_conjuncts(query.where))
    lists = [part for part in conjuncts if isinstance(part, OneOf) and len(part.values) > 1]
    if not lists:
        raise _too_long()
    longest = max(lists, key=lambda part: _cost(query.table, part, part.values))
    others = tuple(part for part in conjuncts if part is not longest)
    room = _cost(query.table, longest, longest.values) - too_much
    found: list[Query] = []
    for values in _groups(query.table, longest, room):
        where = And((OneOf(longest.column, values), *others))
        # What follows one part's rows is asked by that part alone.
        found += in_parts(evolve(query, where=where, asked=where))
    return found


def _groups(table: Table, part: OneOf, room: int) -> Iterator[tuple[object, ...]]:
    group: list[object] = []
    taken = 0
    for value in part.values:
        cost = _cost(table, part, [value])
        if group and taken + cost > room:
            yield tuple(group)
            group, taken = [], 0
        group.append(value)
        taken += cost
    yield tuple(group)


def _cost(table: Table, part: OneOf, values: Sequence[object]) -> int:
    return sum(_length({"": _quoted(table, part.column, value) + ","}) for value in values)


def _conjuncts(where: Filter) -> Iterator[Filter]:
    if isinstance(where, And):
        for part in where.parts:
            yield from _conjuncts(part)
    else:
        yield where


def _length(parameters: Parameters) -> int:
    return len(urlencode(parameters))


def _condition(table: Table, where: Filter) -> str:
    match where:
        case IsNull(column):
            return f"{column}.is.null"
        case Compare(column, how, value):
            return _comparison(table, column, how, value)
        case OneOf(column, values) if values:
            return f"{column}.in.({','.join(_quoted(table, column, value) for value in values)})"
        case And(parts) if parts:
            return f"and({','.join(_condition(table, part) for part in parts)})"
        case Or(parts) if parts:
            return f"or({','.join(_condition(table, part) for part in parts)})"
        case Not(part):
            return f"not.and({_condition(table, part)})"
    # The key is never null, which is how to say always, and never.
    always = isinstance(where, Everything | And)
    return f"{table.key[0]}.{'not.' if always else ''}is.null"


def _comparison(table: Table, column: str, how: Comparison, value: object) -> str:
    if how in _OPERATORS:
        return f"{column}.{_OPERATORS[how]}.{_quoted(table, column, value)}"
    text = str(value)
    # In a pattern of LIKE, PostgREST lets * stand for anything, and nothing stand for *.
    pattern = f"***={text}" if how is Comparison.CONTAINS else f"^{_SPECIAL.sub(_escaped, text)}"
    return f"{column}.match.{_in_quotes(pattern)}"


def _escaped(found: re.Match[str]) -> str:
    return f"\\{found[0]}"


def _quoted(table: Table, column: str, value: object) -> str:
    kind: Kind = table.columns[column].kind
    text = in_url(kind, value)
    return text if kind in _PLAIN else _in_quotes(text)


def _in_quotes(text: str) -> str:
    text = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{text}"'


def _order(table: Table, part: Order) -> str:
    text = f"{part.column}.{'desc' if part.descending else 'asc'}"
    if not table.columns[part.column].nullable:
        return text
    return f"{text}.{'nullsfirst' if part.nulls_first else 'nullslast'}"


def _too_long() -> InvalidRequest:
    return InvalidRequest(
        "the filter is too long for a URL, which is how Supabase is asked; ask for less at once, "
        "or use a function",
        code="filter_too_long",
    )
