"""The verifier of reports in memory."""

import pytest

from tollkeeper.adapters.memory.report_verifier import MemoryReportVerifier
from tollkeeper.contracts.report_verifier import ReportVerifierContract, Sign
from tollkeeper.domain.secret import Secret


class TestMemoryReportVerifier(ReportVerifierContract):
    """The contract."""

    @pytest.fixture
    def report_verifier(self) -> MemoryReportVerifier:
        return MemoryReportVerifier({"key-1": Secret("one"), "key-2": Secret("two")})

    @pytest.fixture
    def sign(self, report_verifier: MemoryReportVerifier) -> Sign:
        return lambda body: ("key-1", report_verifier.sign(body, key_id="key-1"))
