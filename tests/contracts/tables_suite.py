"""What the parts of the contract of tables share."""

from tollkeeper.contracts.contract import Contract
from tollkeeper.contracts.tables_samples import NOTES, VALUES
from tollkeeper.domain.errors import TollkeeperError
from tollkeeper.domain.filters import Everything
from tollkeeper.ports.tables import Tables


class TablesSuite(Contract):
    """Base of the parts; the fixture is ``tables``, on which all of TABLES are, and empty."""

    async def untouched(self, tables: Tables) -> None:
        """Check that nothing was written."""
        assert (await tables.select(NOTES)).rows == ()
        assert (await tables.select(VALUES)).rows == ()
        assert await tables.delete(NOTES, where=Everything()) == 0

    def tells_nothing(self, error: TollkeeperError, *secrets: str) -> None:
        """Check that neither the error nor what caused it shows a value."""
        one: BaseException | None = error
        while one is not None:
            for secret in secrets:
                assert secret not in f"{one!s} {one!r}"
            one = one.__cause__ or (None if one.__suppress_context__ else one.__context__)
