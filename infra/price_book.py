"""Reading price books: TOML files with exact prices as text.

::

    version = "2026-11-22"

    [[prices]]
    model = "openai/gpt-4o-mini"
    currency = "USD"
    effective_from = 2024-07-18
    source = "where the figures come from"
    input_tokens = "0.15 per 1000000"
    output_tokens = "0.60 per 1000000"

    # Calls that read more than so many tokens cost this, all of them.
    [[prices.tiers]]
    above = 200000
    input_tokens = "0.30 per 1000000"
    output_tokens = "0.90 per 1000000"
"""

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, time
from functools import cache
from importlib.resources import files
from pathlib import Path

from attrs import evolve

from tollkeeper.domain.checks import checked_model
from tollkeeper.domain.errors import ConfigurationError, DomainError
from tollkeeper.domain.meters import Meter
from tollkeeper.domain.money import Money
from tollkeeper.domain.price_book import PriceBook
from tollkeeper.domain.prices import ModelPrices, Price, Tier
from tollkeeper.infra.toml_text import parse_toml

_PRICE = re.compile(r"([0-9]+(?:\.[0-9]+)?) per ([1-9][0-9]*)")
_METERS = frozenset(Meter)
_OTHER_FIELDS = {"model", "currency", "effective_from", "effective_to", "source", "tiers"}


def parse_price(text: object, *, currency: str) -> Price:
    """Read ``"0.15 per 1000000"``.

    Raises:
        ValueError: *text* reads otherwise, or is no text (a float is never exact).
    """
    match = _PRICE.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        raise ValueError('a price reads "0.15 per 1000000", as text')
    return Price(Money.of(match[1], currency), int(match[2]))


def _moment(value: object) -> datetime:
    if isinstance(value, datetime):
        return value if value.tzinfo else value.replace(tzinfo=UTC)
    if isinstance(value, date):
        return datetime.combine(value, time(), UTC)
    raise ValueError("a date reads 2024-07-18")


def _check_names(table: Mapping[str, object], others: set[str]) -> None:
    unknown = table.keys() - others - _METERS
    if unknown:
        raise ValueError(f"no such field or meter: {', '.join(sorted(unknown))}")


def _by_meter(table: Mapping[str, object], *, currency: str) -> dict[Meter, Price]:
    return {
        meter: parse_price(table[meter], currency=currency) for meter in Meter if meter in table
    }


def _tiers(tables: object, *, currency: str) -> Iterator[Tier]:
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        raise ValueError("write [[prices.tiers]] above each tier")
    for table in tables:
        _check_names(table, {"above"})
        above = table.get("above")
        if type(above) is not int:
            raise ValueError("a tier is above a number of input tokens: above = 200000")
        yield Tier(above, _by_meter(table, currency=currency))


def parse_prices(
    table: Mapping[str, object], *, model: str = "", flagged: bool = False
) -> ModelPrices:
    """Read one ``[[prices]]`` table; *model* and the dates may be left to the caller.

    Raises:
        ValueError, DomainError, ConfigurationError: a field is missing, unknown or malformed.
    """
    _check_names(table, _OTHER_FIELDS)
    currency = str(table.get("currency", "USD"))
    to = table.get("effective_to")
    return ModelPrices(
        model=model or checked_model(str(table.get("model", ""))),
        effective_from=_moment(table.get("effective_from", date(2000, 1, 1))),
        effective_to=None if to is None else _moment(to),
        source=str(table.get("source", "")),
        prices=_by_meter(table, currency=currency),
        flagged=flagged,
        tiers=_tiers(table.get("tiers", []), currency=currency),
    )


def _parse_book(text: str, *, name: str) -> PriceBook:
    data = parse_toml(text, what=f"the price book {name}")
    faults = [
        f"the price book {name}: {field} is nothing it knows; there are version and [[prices]]"
        for field in sorted(set(data) - {"version", "prices"})
    ]
    tables = data.get("prices", [])
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        raise ConfigurationError(f"the price book {name}: write [[prices]] above each model")
    entries = []
    for number, table in enumerate(tables, start=1):
        try:
            entries.append(parse_prices(table))
        except (ValueError, DomainError, ConfigurationError) as error:
            model = table.get("model", f"number {number}")
            faults.append(f"the price book {name}, prices of {model}: {error}")
    if faults:
        raise ConfigurationError(faults)
    return PriceBook(version=str(data.get("version", name)), entries=tuple(entries))


@cache
def _built_in() -> PriceBook:
    # Part of the package, and immutable: facades may share it, and it is read when it is needed.
    folder = files("tollkeeper.infra").joinpath("prices")
    found = sorted((file.name, file) for file in folder.iterdir() if file.name.endswith(".toml"))
    books = [_parse_book(file.read_text("utf-8"), name=name) for name, file in found]
    return PriceBook(
        version=max(book.version for book in books),
        entries=tuple(entry for book in books for entry in book.entries),
    )


def load_price_book(path: str | None, default: ModelPrices | None = None) -> PriceBook:
    """Return the built-in price book, extended by the file at *path*.

    *default* holds (flagged) for models that the book does not know; None refuses them.

    Raises:
        ConfigurationError: the file cannot be read; every fault in it is listed.
    """
    book = _built_in()
    if path is not None:
        try:
            text = Path(path).read_text("utf-8")
        except (OSError, ValueError) as error:
            raise ConfigurationError(f"cannot read the price book {path}") from error
        own = _parse_book(text, name=Path(path).name)
        book = book.extended_by(own.entries, version=f"{book.version}+{own.version}")
    return evolve(book, default=default)
