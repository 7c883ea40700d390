"""SQL is put together from nothing that a caller gives: each value is a parameter."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import tollkeeper.adapters

ADAPTERS = Path(tollkeeper.adapters.__path__[0])
FILES = sorted(
    path.relative_to(ADAPTERS).as_posix()
    for folder in ("postgres", "sql", "sqlite", "supabase")
    for path in (ADAPTERS / folder).glob("*.py")
)
SQL = re.compile(
    r"\b(SELECT|INSERT|UPDATE|DELETE|FROM|WHERE|VALUES|SET|ORDER BY|LIMIT|CREATE|ALTER|DROP|GRANT|"
    r"PRAGMA|CALL|COPY|EXECUTE)\b"
)
NAMED = re.compile(r"(self\.|\b)(_?connections\.)?_?schema|_?[A-Z][A-Z_]*")
"""The name of the schema, which is checked when the URL is read; and constants of the module."""
COMPOSED = {
    # The tables of a host: names are quoted by the dialect, values are parameters.
    "sql/table_sql.py": {
        *("target", "places", "dialect.listed(query.fetched)", "dialect.name_of(query.table)"),
        *("where", "order", "limit", "dialect.listed(new.on)", "changes", "condition"),
        "dialect.name_of(table)",
    },
    "postgres/tables.py": {
        *("statement.sql", "called", "alias", "DIALECT.listed(names)", "MOST_ROWS + 1"),
    },
    # Made from the name of the schema in the line before.
    "postgres/schema.py": {"table", "asked"},
}


def pasted(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Find what is pasted into texts that read like SQL: its line, and the expression."""
    for node in ast.walk(tree):
        match node:
            case ast.JoinedStr(values=parts):
                text = "".join(str(part.value) for part in parts if isinstance(part, ast.Constant))
                found = [part.value for part in parts if isinstance(part, ast.FormattedValue)]
            case ast.BinOp(left=left, op=ast.Mod() | ast.Add(), right=right):
                text = "".join(
                    str(side.value) for side in (left, right) if isinstance(side, ast.Constant)
                )
                found = [side for side in (left, right) if not isinstance(side, ast.Constant)]
            case ast.Call(func=ast.Attribute(value=ast.Constant(value=str(text)))):
                found = [*node.args, *(each.value for each in node.keywords)]
            case _:
                continue
        if SQL.search(text):
            yield from ((node.lineno, ast.unparse(each)) for each in found)


def refused(source: str, *, allowed: frozenset[str] | set[str] = frozenset()) -> list[str]:
    """Return what of *source* is pasted into SQL without being allowed."""
    return [
        f"line {line}: {what}"
        for line, what in pasted(ast.parse(source))
        if not NAMED.fullmatch(what) and what not in allowed
    ]


@pytest.mark.parametrize("file", FILES)
def test_only_the_name_of_the_schema_is_pasted_into_sql(file: str) -> None:
    """No f-string SQL, nor SQL by any other way of pasting (T6)."""
    source = (ADAPTERS / file).read_text("utf-8")
    assert refused(source, allowed=COMPOSED.get(file, set())) == []


def test_what_may_be_pasted_is_still_pasted() -> None:
    for file, allowed in COMPOSED.items():
        tree = ast.parse((ADAPTERS / file).read_text("utf-8"))
        assert allowed - {what for _, what in pasted(tree)} == set(), file


@pytest.mark.parametrize(
    "source",
    [
        'f"SELECT * FROM t WHERE kid = {kid}"',
        "f\"SELECT {schema}.find('{kid}')\"",
        '"SELECT * FROM t WHERE kid = %s" % kid',
        '"SELECT * FROM t WHERE kid = " + kid',
        '"SELECT * FROM t WHERE kid = {}".format(kid)',
        '"SELECT * FROM t WHERE kid = {kid}".format(kid=kid)',
        'f"""\n    DELETE FROM t\n    WHERE id = {self.id}"""',
    ],
)
def test_a_value_that_is_pasted_is_noticed(source: str) -> None:
    assert len(refused(source)) == 1


@pytest.mark.parametrize(
    "source",
    [
        'f"SELECT * FROM {schema}.key_by_kid($1)"',
        'f"SELECT * FROM {self.connections.schema}.balance_of($1)"',
        'f"SELECT {COLUMNS} FROM keys"',
        'f"no such key: {kid}"',
    ],
)
def test_what_is_no_value_may_be_pasted(source: str) -> None:
    assert refused(source) == []
