"""Token counters with one fault each, for their suite to find."""

import itertools
import re
import time

from tollkeeper.adapters.memory.token_counter import MemoryTokenCounter

_SPECIAL = re.compile(r"<\|[a-z_]+\|>|\[INST\]|<s>")


class CountsTheEnd(MemoryTokenCounter):
    """Adds the token that ends a text."""

    def count(self, text: str, *, model: str) -> int | None:
        words = super().count(text, model=model)
        return None if words is None else words + 1


class CountsUtf16(MemoryTokenCounter):
    """Has more tokens than bytes."""

    def count(self, text: str, *, model: str) -> int | None:
        known = super().count(text, model=model) is not None
        return len(text.encode("utf-16")) - 2 if known else None


class CountsParts(MemoryTokenCounter):
    """Says halves."""

    def count(self, text: str, *, model: str) -> int | None:
        words = super().count(text, model=model)
        return None if words is None else words / 2  # type: ignore[return-value]


class CountsNothing(MemoryTokenCounter):
    """Has no idea, and does not say so."""

    def count(self, text: str, *, model: str) -> int | None:
        return None if super().count(text, model=model) is None else 0


class CountsLinesOnly(MemoryTokenCounter):
    """Finds as many tokens in a long line as in a short one."""

    def count(self, text: str, *, model: str) -> int | None:
        return None if super().count(text, model=model) is None else len(text.splitlines())


class CountsOnAndOn(MemoryTokenCounter):
    """Counts what it counted before too."""

    turn = itertools.count()

    def count(self, text: str, *, model: str) -> int | None:
        words = super().count(text, model=model)
        return None if words is None else words + next(self.turn)


class DropsSpecialTokens(MemoryTokenCounter):
    """Takes what users write for orders."""

    def count(self, text: str, *, model: str) -> int | None:
        return super().count(_SPECIAL.sub("", text), model=model)


class RefusesSpecialTokens(MemoryTokenCounter):
    """Fails where a user writes what looks like an order."""

    def count(self, text: str, *, model: str) -> int | None:
        if _SPECIAL.search(text):
            raise ValueError("disallowed special token")
        return super().count(text, model=model)


class KnowsEveryModel(MemoryTokenCounter):
    """Counts for models that it does not know."""

    def count(self, text: str, *, model: str) -> int | None:
        return super().count(text, model=f"{self.provider}/{model}")


class NothingIsUnknown(MemoryTokenCounter):
    """Says 0 where it cannot tell."""

    def count(self, text: str, *, model: str) -> int | None:
        return super().count(text, model=model) or 0


class CountsPairs(MemoryTokenCounter):
    """Looks at each word with each other one."""

    def count(self, text: str, *, model: str) -> int | None:
        words = super().count(text, model=model)
        return None if words is None else min(words * words, len(text.encode()))


class RefusesLongTexts(MemoryTokenCounter):
    """Gives up at a million characters."""

    def count(self, text: str, *, model: str) -> int | None:
        if len(text) > 1_000_000:
            raise ValueError("too long")
        return super().count(text, model=model)


class OneTextAtATime(MemoryTokenCounter):
    """Keeps the text where the next caller puts another."""

    text = ""

    def count(self, text: str, *, model: str) -> int | None:
        type(self).text = text
        time.sleep(0.001)  # long enough for another thread to come in
        return super().count(type(self).text, model=model)
