"""Act on a report that keys were found in public."""

from typing import Protocol

from attrs import frozen

from tollkeeper.domain.api_keys import ApiKey
from tollkeeper.domain.errors import ConfigurationError, TollkeeperError
from tollkeeper.domain.leak_reports import (
    LeakOutcome,
    LeakReport,
    ReportedLeak,
    fits,
    hash_of,
    no_report,
    parse_reports,
)
from tollkeeper.domain.secret import Secret
from tollkeeper.ports.clock import Clock
from tollkeeper.ports.report_verifier import ReportVerifier


class LeakedKeys(Protocol):
    """The keys, as far as reports of leaks go."""

    async def prove(self, token: Secret) -> ApiKey | None:
        """Return the key whose secret *token* is, in whatever state; None if there is none.

        A malformed, an unknown and a wrong token are all None. A secret that was rotated out is
        one of its key still.

        Raises:
            PortError: the store cannot say.
        """

    async def revoke_leaked(self, key: ApiKey, *, source: str, url: str) -> None:
        """End *key*, with *source* and *url* in its audit entry; a revoked key stays as it is.

        Raises:
            PortError: it may live on.
        """


@frozen
class ReportLeakedKeys:
    """Revoke the keys that a signed report names, such as GitHub's secret scanning sends.

    A token that was rotated out and works no more ends no key: whoever rotated it has mended what
    the report is about.
    """

    report_verifier: ReportVerifier | None
    leaked_keys: LeakedKeys
    clock: Clock

    async def __call__(
        self, body: bytes, *, key_id: str, signature: str
    ) -> tuple[ReportedLeak, ...]:
        """Say what became of each token in *body*, in its order; a replay changes nothing.

        *body* is the request's, byte for byte; *key_id* and *signature* are its headers
        ``Github-Public-Key-Identifier`` and ``Github-Public-Key-Signature``. All tokens are
        tried before a failure is raised: let the reporter send the report again then.

        Raises:
            Unauthenticated: the reporter did not sign it (code ``report_not_authentic``).
            InvalidRequest: it is over 1 MiB, or no report (code ``invalid_report``).
            PortError: a key may live on, or the reporter's keys are out of reach.
            ConfigurationError: nobody's reports are believed (code ``report_verifier_missing``).
        """
        # A traceback may show the locals of this frame; a view does not show what it is of.
        view = memoryview(body) if fits(body) else None
        del body
        if view is None:
            raise no_report()
        if self.report_verifier is None:
            raise ConfigurationError(
                "report_verifier: nobody's reports are believed; set report_verifier "
                "(TOLLKEEPER_REPORT_VERIFIER) to report-keys:///… with the reporter's public keys",
                code="report_verifier_missing",
            )
        await self.report_verifier.verify(bytes(view), key_id=key_id, signature=signature)
        reports = parse_reports(bytes(view))
        done: list[ReportedLeak] = []
        failure: TollkeeperError | None = None
        for report in reports:
            try:
                done.append(await self._revoke(report))
            except TollkeeperError as error:
                failure = failure or error
        if failure is not None:
            raise failure
        return tuple(done)

    async def _revoke(self, report: LeakReport) -> ReportedLeak:
        token_hash = hash_of(report.token)
        key = await self.leaked_keys.prove(report.token)
        if key is None:
            return ReportedLeak(LeakOutcome.UNKNOWN, report.kind, token_hash=token_hash)
        outcome = LeakOutcome.ALREADY_REVOKED
        if self._may_be_used(key, report.token):
            await self.leaked_keys.revoke_leaked(key, source=report.source, url=report.url)
            outcome = LeakOutcome.REVOKED
        return ReportedLeak(outcome, report.kind, key.display, token_hash)

    def _may_be_used(self, key: ApiKey, token: Secret) -> bool:
        """Whether *token* could let anyone in, now or later, if *key* were left alone."""
        if key.revoked_at is not None:
            return False
        end = None
        for secret in key.secrets:
            if f"_{secret.kid}_" in token.reveal():
                end = secret.not_after
        return end is None or self.clock.now() < end
