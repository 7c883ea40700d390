"""Whether a report of leaked keys comes from whom it says."""

from typing import Protocol, runtime_checkable


@runtime_checkable
class ReportVerifier(Protocol):
    """Checks the signature of a report, such as those of GitHub's secret scanning."""

    async def verify(self, body: bytes, *, key_id: str, signature: str) -> None:
        """Return if *signature* was made of *body*, byte for byte, with the reporter's *key_id*.

        *key_id* and *signature* are what the reporter sent beside the body, as it sent them; what
        they hold is in no error.

        Raises:
            Unauthenticated: it was not, or no such key is known; with one text for all of it
                (code ``report_not_authentic``).
            PortError: the reporter's keys are out of reach, or cannot be read.
        """
