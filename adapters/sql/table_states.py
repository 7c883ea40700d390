"""What PostgreSQL's error codes (SQLSTATE) mean to those who use a host's tables.

PostgREST hands the same codes on, so the adapters for PostgreSQL and for Supabase share them.
"""

from collections.abc import Mapping

from tollkeeper.domain.errors import Conflict, DomainError, InvalidRequest, NotFound

Meaning = tuple[type[DomainError], str, str]
_TAKEN = (Conflict, "row_exists", "a row with the same unique values is there")
_BROKEN = (
    InvalidRequest,
    "reference_broken",
    "a row refers to one that is not there, or is referred to",
)
_CHECKED = (InvalidRequest, "check_failed", "the table's own checks refuse the row")
_REFUSED = (InvalidRequest, "value_refused", "the database cannot keep a value in its column")
_NO_TABLE = (NotFound, "table_not_found", "there is no such table")
_NO_FUNCTION = (
    NotFound,
    "function_not_found",
    "there is no such function, or none with these arguments",
)
_OF_TABLES: Mapping[str, Meaning] = {
    "23505": _TAKEN,
    "23P01": _TAKEN,
    "23502": (InvalidRequest, "value_missing", "a column that needs a value has none"),
    "23503": _BROKEN,
    "23001": _BROKEN,
    "23514": _CHECKED,
    "44000": _CHECKED,
    "P0001": _CHECKED,  # raised by a trigger
    "42P10": (InvalidRequest, "invalid_rows", "what on names is not unique in the database"),
    "21000": (
        InvalidRequest,
        "duplicate_row",
        "two of the rows are the same one, by what on names",
    ),
    "428C9": _REFUSED,  # a column that the database alone gives values to
    "42P01": _NO_TABLE,
    "3F000": _NO_TABLE,
    "42703": (NotFound, "column_not_found", "the table lacks a column of its declaration"),
}
_OF_CALLS: Mapping[str, Meaning] = {
    "42883": _NO_FUNCTION,
    "42725": _NO_FUNCTION,
    "42809": _NO_FUNCTION,
    "3F000": _NO_FUNCTION,
    "42703": (NotFound, "column_not_found", "the function returns no such column"),
}
_OTHER_KIND = ("42804", "42883", "42846", "42P21", "42P22")
RAISED = ("P0001", "42P01", "42804")
"""What is a function's own error, where one was called: raised, or wrong inside of it."""


def meaning_of(state: str, *, calling: bool) -> DomainError | None:
    """Return what *state* says about the request; None if it says nothing about it.

    Args:
        state: an SQLSTATE.
        calling: whether a function was called.
    """
    if calling and state in RAISED:
        return None
    meaning = (_OF_CALLS if calling else {}).get(state) or _OF_TABLES.get(state)
    if meaning is None and state[:2] in ("22", "54"):
        meaning = _REFUSED
    return None if meaning is None else made(meaning)


def made(meaning: Meaning) -> DomainError:
    """Make the error of a *meaning*."""
    kind, code, text = meaning
    return kind(text, code=code)


def value_refused() -> DomainError:
    """Make the answer to a value that could not even be sent."""
    return made(_REFUSED)


def is_other_kind(state: str) -> bool:
    """Whether a column is of another type than its declaration says."""
    return state in _OTHER_KIND
