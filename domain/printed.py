r"""Text that others chose, as a log line or a terminal may show it.

What is not printable is written out, such as ``\x1b``: it ends no line, moves no cursor, turns no
direction of reading (U+202E), and is half of no surrogate pair.
"""


def printed(text: str, *, longest: int | None = None) -> str:
    r"""Return *text* on one line, with what cannot be printed written out, such as ``\x1b``.

    What goes beyond *longest* characters is cut, and ``…`` put in its place.
    """
    if longest is not None and len(text) > longest:
        text = text[:longest] + "…"
    shown = text if text.isprintable() else "".join(map(_shown, text))
    if longest is not None and len(shown) > longest + 1:
        shown = shown[:longest] + "…"
    return shown


def printed_json(document: str) -> str:
    r"""Return the JSON text *document* with what cannot be printed as ``\u009b``; lines stay.

    It is the same document: outside of its texts, JSON has nothing of the kind but line ends.
    """
    if document.isprintable():
        return document
    return "".join(c if c.isprintable() or c == "\n" else _as_json(c) for c in document)


def _shown(character: str) -> str:
    if character.isprintable():
        return character
    return character.encode("unicode_escape").decode("ascii")


def _as_json(character: str) -> str:
    code = ord(character)
    if code < 0x10000:
        return f"\\u{code:04x}"
    code -= 0x10000
    return f"\\u{0xD800 + (code >> 10):04x}\\u{0xDC00 + (code & 0x3FF):04x}"
