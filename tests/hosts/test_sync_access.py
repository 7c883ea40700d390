"""A host without an event loop checks keys and the audit log as one with a loop does."""

import pytest

from tollkeeper import Conflict, Secret, Settings, Unauthenticated, open_tollkeeper_sync
from tollkeeper.domain.audit import AuditHead
from tollkeeper.domain.errors import InvalidRequest

SETTINGS = Settings(
    environment="test", store="memory://", key_pepper=Secret("0123456789abcdef" * 4)
)


def test_refusals_are_counted_for_a_host_without_a_loop() -> None:
    with open_tollkeeper_sync(SETTINGS) as tk:
        token = tk.issue_key(account="acme", scopes={"chat:complete"}).token
        for given in (token, token.reveal()):
            assert tk.authenticate_key(given, client_address="203.0.113.7").account == "acme"
        with pytest.raises(Unauthenticated):
            tk.authenticate_key("nonsense")
        assert tk.authenticate_key.refusals.totals == {"malformed": 1}


def test_the_logs_of_all_accounts_are_checked_for_a_host_without_a_loop() -> None:
    with open_tollkeeper_sync(SETTINGS) as tk:
        for account in ("acme", "globex"):
            tk.issue_key(account=account, scopes={"chat:complete"})
        followed: list[int] = []
        checks = list(tk.verify_audit.all(progress=followed.append))
        assert [(check.account, check.ok) for check in checks] == [("acme", True), ("globex", True)]
        assert followed == [1, 1]
        head = checks[0].state.head
        assert tk.verify_audit(account="acme", known=head) == checks[0]
        assert not tk.verify_audit(account="acme", known=AuditHead(2, head.mac)).ok
        with pytest.raises(InvalidRequest):
            tk.verify_audit(account="no such name")
    with pytest.raises(Conflict):
        next(tk.verify_audit.all())
