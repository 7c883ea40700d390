"""Reading the model catalogue: TOML files with one table for each model.

::

    [[models]]
    id = "house/writer-2"
    aliases = ["writer"]
    context_window = 200000
    max_output = 16000
    capabilities = ["tools", "json", "streaming"]
    [models.quirks]
    unsupported = ["stop"]
    fixed = { temperature = 1 }

    # Over what is known of the model already, only what is said here changes.
    [[models]]
    id = "openai/gpt-4o"
    extends = true
    enabled = false

    # Another model that is like one that is known.
    [[models]]
    id = "openai/ft:gpt-4o:house"
    extends = "openai/gpt-4o"
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from attrs import evolve

from tollkeeper.domain.catalogue import Capability, Catalogue, ModelCard
from tollkeeper.domain.chat import REASONING_EFFORTS
from tollkeeper.domain.checks import checked_model
from tollkeeper.domain.errors import ConfigurationError, DomainError
from tollkeeper.domain.quirks import NO_QUIRKS, PARAMETERS, QUIRK_FIELDS
from tollkeeper.infra.toml_text import parse_toml

Check = tuple[Callable[[Any], bool], str]


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_texts(value: Any) -> bool:
    return isinstance(value, list) and all(map(_is_text, value))


def _is_names(value: Any) -> bool:
    return _is_texts(value) and all(
        name and name.isprintable() and " " not in name for name in value
    )


def _is_headers(value: Any) -> bool:
    return isinstance(value, dict) and all(
        _is_text(text) and text.isprintable() for text in value.values()
    )


def _is_fixed(value: Any) -> bool:
    return isinstance(value, dict) and all(
        name in PARAMETERS and type(number) in (int, float) for name, number in value.items()
    )


def _some_of(names: Iterable[str]) -> Check:
    known = frozenset(names)
    return lambda value: _is_texts(value) and known.issuperset(value), (
        f"a list of some of {', '.join(sorted(known))}"
    )


_TEXT: Check = (_is_text, "text")
_TOKENS: Check = (lambda value: type(value) is int and value > 0, "1 or more tokens")
_FIELDS: Mapping[str, Check] = {
    **dict.fromkeys(("name", "prices", "larger", "unfiltered", "source"), _TEXT),
    "aliases": (_is_names, "a list of names without blanks"),
    "capabilities": _some_of(Capability),
    "plans": (_is_texts, "a list of texts"),
    "context_window": _TOKENS,
    "max_output": _TOKENS,
    "cache_minimum": (lambda value: type(value) is int and value >= 0, "0 or more tokens"),
    "enabled": (lambda value: isinstance(value, bool), "true or false"),
}
_QUIRKS: Mapping[str, Check] = {
    "unsupported": _some_of(PARAMETERS),
    "fixed": (_is_fixed, "a table from parameters to numbers"),
    "efforts": _some_of(REASONING_EFFORTS),
    "max_tokens_field": _TEXT,
    "headers": (_is_headers, "a table from names to texts"),
    "extra": (lambda value: isinstance(value, dict), "a table"),
}
_OTHER_FIELDS = ("id", "extends", "quirks")


def _checked(
    table: Mapping[str, Any], checks: Mapping[str, Check], *, known: tuple[str, ...], at: str = ""
) -> Iterator[str]:
    """List what is wrong with the fields of *table*, which stands *at* some place."""
    for name, value in table.items():
        if name not in known:
            yield f"no such field: {at}{name}; there are {', '.join(sorted(known))}"
        elif name in checks and not checks[name][0](value):
            yield f"{at}{name} is {checks[name][1]}"


def _base_of(table: Mapping[str, Any], before: Mapping[str, ModelCard]) -> ModelCard | None:
    """Return the card that *table* is laid over, with the new id; None if there is none.

    Raises:
        ValueError: it names a model that is not known, or none.
    """
    own, extends = table["id"], table.get("extends", False)
    if extends is False:
        return None
    if extends is True:
        extends = own
    elif not isinstance(extends, str):
        raise ValueError("extends is true, or the id of another model")
    found = before.get(extends)
    if found is None:
        raise ValueError(f"extends {extends}, which is not known")
    # What is another model's own does not pass on: its names, and what it costs.
    return found if extends == own else evolve(found, id=own, name="", aliases=(), prices="")


def _card(table: Mapping[str, Any], before: Mapping[str, ModelCard]) -> ModelCard:
    """Read one table.

    Raises:
        ConfigurationError: every fault in it is listed.
    """
    faults = list(_checked(table, _FIELDS, known=(*_FIELDS, *_OTHER_FIELDS)))
    quirks = table.get("quirks", {})
    if not isinstance(quirks, dict):
        faults.append("quirks is a table, written [models.quirks]")
    else:
        faults.extend(_checked(quirks, _QUIRKS, known=QUIRK_FIELDS, at="quirks."))
    base = None
    try:
        checked_model(table.get("id", ""))
        base = _base_of(table, before)
    except (ValueError, DomainError) as error:
        faults.append(str(error))
    if faults:
        raise ConfigurationError(faults)
    fields = {name: value for name, value in table.items() if name in _FIELDS}
    if quirks:
        # Field by field, so that a host can also take back what the built-in card declares.
        fields["quirks"] = evolve(NO_QUIRKS if base is None else base.quirks, **quirks)
    return ModelCard(id=table["id"], **fields) if base is None else evolve(base, **fields)


def _parse(text: str, *, name: str, known: Mapping[str, ModelCard]) -> tuple[ModelCard, ...]:
    """Read the cards of one file, which may extend those that are *known* and each other."""
    data = parse_toml(text, what=f"the catalogue {name}")
    faults = [
        f"the catalogue {name}: {field} is nothing it knows; there is [[models]]"
        for field in sorted(set(data) - {"models"})
    ]
    tables = data.get("models", [])
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        raise ConfigurationError(f"the catalogue {name}: write [[models]] above each model")
    before, cards = dict(known), []
    for number, table in enumerate(tables, start=1):
        try:
            card = _card(table, before)
        except ConfigurationError as error:
            model = table.get("id", f"number {number}")
            faults.extend(f"the catalogue {name}, {model}: {fault}" for fault in error.faults)
            continue
        cards.append(card)
        before[card.id] = card
    if faults:
        raise ConfigurationError(faults)
    return tuple(cards)


@cache
def _built_in() -> Catalogue:
    # Part of the package, and immutable: facades may share it, and it is read when it is needed.
    folder = files("tollkeeper.infra").joinpath("catalogue")
    found = sorted((file.name, file) for file in folder.iterdir() if file.name.endswith(".toml"))
    cards: list[ModelCard] = []
    for name, file in found:
        cards.extend(_parse(file.read_text("utf-8"), name=name, known={}))
    return Catalogue(tuple(cards))


def load_catalogue(path: str | None) -> Catalogue:
    """Return the built-in catalogue, extended by the file at *path*.

    A model of the file stands in the place of the built-in one of its id, or is laid over it
    (``extends = true``).

    Raises:
        ConfigurationError: the file cannot be read; every fault in it is listed.
    """
    catalogue = _built_in()
    if path is None:
        return catalogue
    try:
        text = Path(path).read_text("utf-8")
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"cannot read the catalogue {path}") from error
    known = {card.id: card for card in catalogue.cards}
    return catalogue.extended_by(_parse(text, name=Path(path).name, known=known))
