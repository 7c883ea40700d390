"""The contract kit: one suite for each port, for every adapter, ours or yours.

Write a test class of your own, with the fixtures that the suite asks for::

    from tollkeeper.contracts.ledger import LedgerContract

    class TestMyLedger(LedgerContract):
        @pytest.fixture
        async def ledger(self): ...
"""

import pkgutil

import pytest

# Asserts in the suites are rewritten before they are imported, so that a failure in somebody
# else's project shows the values too.
pytest.register_assert_rewrite(
    *(f"{__name__}.{module.name}" for module in pkgutil.iter_modules(__path__))
)
