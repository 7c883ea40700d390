"""Text that others chose, as a terminal may show it: it moves no cursor and paints nothing."""

import unicodedata

from tollkeeper.domain.printed import printed

_LAYOUT = "\n\t"


def printable(text: str) -> str:
    r"""Return *text* with what cannot be printed written out, such as ``\x1b``; lines stay."""
    return "".join(c if c in _LAYOUT else printed(c) for c in text)


def without_controls(text: str) -> str:
    """Return *text* with its control characters written out, all but new lines and tabs.

    Unlike :func:`printable` this leaves blanks and joiners alone, which languages need.
    """
    return "".join(
        printed(c) if unicodedata.category(c) == "Cc" and c not in _LAYOUT else c for c in text
    )
