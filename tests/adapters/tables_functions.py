"""The functions of the contract of tables, for databases that have none of their own."""

from collections.abc import Iterable, Mapping
from decimal import Decimal

from tollkeeper.adapters.memory.tables import HostFunction
from tollkeeper.domain.tables import Row


def _add(a: int | None, b: int | None) -> Iterable[Row]:
    return [{"result": None if a is None or b is None else a + b}]


def _listed(many: int, said: str | None) -> Iterable[Row]:
    for number in range(1, many + 1):
        price = Decimal(number) + Decimal("0.1")
        yield {"number": number, "price": price, "heard": said, "nothing": None}


def _fails() -> Iterable[Row]:
    raise ValueError("a secret")


def _silent() -> Iterable[Row]:
    return []


FUNCTIONS: Mapping[str, HostFunction] = {
    "contract_add": _add,
    "contract_listed": _listed,
    "contract_fails": _fails,
    "contract_silent": _silent,
}
