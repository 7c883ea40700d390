"""Text that others chose, as a terminal may show it: it moves no cursor and paints nothing."""

import unicodedata

_LAYOUT = "\n\t"


def printable(text: str) -> str:
    r"""Return *text* with what cannot be printed written out, such as ``\x1b``; lines stay."""
    return "".join(c if c.isprintable() or c in _LAYOUT else _written_out(c) for c in text)


def without_controls(text: str) -> str:
    """Return *text* with its control characters written out, all but new lines and tabs.

    Unlike :func:`printable` this leaves blanks and joiners alone, which languages need.
    """
    return "".join(
        _written_out(c) if unicodedata.category(c) == "Cc" and c not in _LAYOUT else c for c in text
    )


def _written_out(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")
