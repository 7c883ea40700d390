"""The kit's own runner sees what passes and what fails, and refuses to prove nothing."""

import pytest

from tests.kit.run_contract import failed_tests, run_contract

CONTRACT = "tollkeeper.contracts.contract:Contract"

A_SUITE = """
import pytest
from tollkeeper.contracts.contract import Contract

@pytest.fixture
async def number():
    return {number}

class Suite(Contract):
    async def test_is_one(self, number):
        assert number == 1

    @pytest.mark.parametrize("least", [0, 1])
    async def test_is_at_least(self, number, least):
        assert number >= least
"""


def a_suite(number: str) -> str:
    return A_SUITE.format(number=number) + "\n_Suite, Fixtures = Suite, Suite\ndel Suite\n"


def test_what_passes_and_what_fails_is_told_by_name() -> None:
    assert run_contract(CONTRACT, a_suite("0")) == {
        "test_contract_is_whole": "passed",
        "test_is_one": "failed",
        "test_is_at_least": "failed",
    }


def test_nothing_fails_on_a_sound_adapter() -> None:
    assert failed_tests(CONTRACT, a_suite("1")) == set()


def test_a_broken_source_is_no_failed_contract() -> None:
    with pytest.raises(AssertionError, match="SyntaxError"):
        run_contract(CONTRACT, "this is no Python")


def test_fixtures_that_never_work_are_no_failed_contract() -> None:
    source = """
    import pytest

    class Fixtures:
        @pytest.fixture
        def anyio_backend(self):
            raise RuntimeError("no backend")

        @pytest.fixture(autouse=True)
        async def opened(self, anyio_backend):
            pass
    """
    with pytest.raises(AssertionError, match="no backend"):
        run_contract(CONTRACT, source)


def test_a_replaced_test_is_caught() -> None:
    source = """
    class Fixtures:
        async def test_contract_holds(self):
            pass
    """
    replaced = """
    from tollkeeper.contracts.contract import Contract

    class Suite(Contract):
        async def test_promise(self):
            raise AssertionError("broken")

    class Fixtures(Suite):
        async def test_promise(self):
            pass
    """
    assert failed_tests(CONTRACT, source) == set()
    assert failed_tests(CONTRACT, replaced) == {"test_contract_is_whole"}


def test_a_test_excused_with_a_reason_is_let_through() -> None:
    source = """
    import pytest
    from tollkeeper.contracts.contract import Contract

    class Suite(Contract):
        async def test_promise(self):
            raise AssertionError("broken")

    class Fixtures(Suite):
        @pytest.mark.xfail({arguments})
        async def test_promise(self):
            raise AssertionError("broken")
    """
    assert failed_tests(CONTRACT, source.format(arguments='reason="no such server"')) == set()
    assert failed_tests(CONTRACT, source.format(arguments="")) == {"test_contract_is_whole"}
