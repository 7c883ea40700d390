"""The query string of PostgREST, as SQL: what is selected, under which conditions, in which order.

Values are written as literals without a type, so that the database reads each as its column's.
"""

import re
from collections.abc import Iterable, Sequence

from tests.servers.postgrest_errors import malformed

Pairs = Sequence[tuple[str, str]]
_COMPARED = {"eq": "=", "neq": "<>", "gt": ">", "gte": ">=", "lt": "<", "lte": "<="}
_MATCHED = {"like": "LIKE", "ilike": "ILIKE", "match": "~", "imatch": "~*"}
_OTHERS = {"cs": "@>", "cd": "<@", "ov": "&&", "isdistinct": "IS DISTINCT FROM"}
_OPERATORS = _COMPARED | _MATCHED | _OTHERS
_SORTED = {"asc": "ASC", "desc": "DESC"}
_DIRECTIONS = _SORTED | {"nullsfirst": "NULLS FIRST", "nullslast": "NULLS LAST"}
_IS = {"null", "not_null", "true", "false", "unknown"}
_NOT_FILTERS = {"select", "order", "limit", "offset", "columns", "on_conflict"}
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_$]*")
_COLUMN = re.compile(r"(?:(?P<alias>\w+):(?!:))?(?P<name>\w+|\*)(?:::(?P<cast>[\w ]+))?")
_PART = re.compile(r"(?P<not>not\.)?(?P<op>[a-z]+)\.(?P<value>.*)", re.DOTALL)


def literal(value: str) -> str:
    """Write *value* as a literal of SQL."""
    quoted = value.replace("'", "''")
    if "\\" in quoted:
        return "E'" + quoted.replace("\\", "\\\\") + "'"
    return f"'{quoted}'"


def name(text: str) -> str:
    """Write *text* as a name of SQL."""
    return '"' + text.replace('"', '""') + '"'


def selected(pairs: Pairs) -> str:
    """Return what stands between SELECT and FROM; embedding is not read."""
    text = dict(pairs).get("select") or "*"
    found = []
    for part in text.split(","):
        column = _COLUMN.fullmatch(part.strip())
        if column is None:
            raise malformed(f"select parameter ({text})")
        written = "*" if column["name"] == "*" else name(column["name"])
        if column["cast"]:
            written = f"{written}::{column['cast']}"
        if column["alias"] or column["cast"]:
            written = f"{written} AS {name(column['alias'] or column['name'])}"
        found.append(written)
    return ", ".join(found)


def ordered(pairs: Pairs, source: str) -> str:
    """Return the ORDER BY, or nothing: it sorts by columns of *source*, whatever is selected."""
    text = dict(pairs).get("order")
    if not text:
        return ""
    found = []
    for part in text.split(","):
        column, *how = part.split(".")
        if not _NAME.fullmatch(column):
            raise malformed(f"order ({text})")
        if not all(word in _DIRECTIONS for word in how):
            raise malformed(f"order ({text})")
        found.append(
            " ".join((f"{name(source)}.{name(column)}", *(_DIRECTIONS[word] for word in how)))
        )
    return " ORDER BY " + ", ".join(found)


def conditions(pairs: Pairs, *, but: Iterable[str] = ()) -> str:
    """Return the WHERE, or nothing; parameters named in *but* are none of its conditions."""
    found = []
    for key, value in pairs:
        if key in _NOT_FILTERS or key in but:
            continue
        negated, _, logic = key.rpartition(".")
        if logic in ("and", "or") and negated in ("", "not"):
            if not (value.startswith("(") and value.endswith(")")):
                raise malformed(f"logic tree ({value})")
            found.append(_joined(logic, value[1:-1], negated=bool(negated)))
        else:
            found.append(_condition(key, value))
    return " WHERE " + " AND ".join(found) if found else ""


def _joined(logic: str, inside: str, *, negated: bool) -> str:
    parts = [_branch(part) for part in split(inside)]
    if not parts:
        raise malformed("logic tree ()")
    return f"{'NOT ' if negated else ''}({f' {logic.upper()} '.join(parts)})"


def _branch(text: str) -> str:
    nested = re.fullmatch(r"(not\.)?(and|or)\((.*)\)", text, re.DOTALL)
    if nested:
        return _joined(nested[2], nested[3], negated=bool(nested[1]))
    column, dot, rest = text.partition(".")
    if not dot:
        raise malformed(f"logic tree ({text})")
    return _condition(column, rest, in_tree=True)


def _condition(column: str, text: str, *, in_tree: bool = False) -> str:
    part = _PART.fullmatch(text)
    if part is None or not _NAME.fullmatch(column):
        raise malformed(f"filter ({text})")
    operator, value = part["op"], part["value"]
    if operator == "in":
        if not (value.startswith("(") and value.endswith(")")):
            raise malformed(f"filter ({text})")
        values = ", ".join(literal(unquoted(one)) for one in split(value[1:-1]))
        # Nothing is in an empty list.
        written = f"{name(column)} IN ({values})" if values else "false"
    elif operator == "is":
        if value.lower() not in _IS:
            raise malformed(f"isVal ({value})")
        written = f"{name(column)} IS {value.replace('_', ' ').upper()}"
    elif operator in _OPERATORS:
        value = unquoted(value) if in_tree else value
        if operator in ("like", "ilike"):
            value = value.replace("*", "%")
        written = f"{name(column)} {_OPERATORS[operator]} {literal(value)}"
    else:
        raise malformed(f"filter ({text})")
    return f"NOT ({written})" if part["not"] else written


def split(text: str) -> list[str]:
    """Split at commas that stand neither in quotes nor in parentheses."""
    parts, depth, quoted, start, at = [], 0, False, 0, 0
    while at < len(text):
        sign = text[at]
        if quoted:
            if sign == "\\":
                at += 1
            elif sign == '"':
                quoted = False
        elif sign == '"':
            quoted = True
        elif sign in "()":
            depth += 1 if sign == "(" else -1
        elif sign == "," and depth == 0:
            parts.append(text[start:at])
            start = at + 1
        at += 1
    return [*parts, text[start:]] if text else []


def unquoted(text: str) -> str:
    """Read a value that may stand in double quotes."""
    if len(text) > 1 and text[0] == text[-1] == '"':
        return re.sub(r"\\(.)", r"\1", text[1:-1], flags=re.DOTALL)
    return text
