"""Who changed what, and when."""

from collections.abc import Mapping
from datetime import datetime

from attrs import field, frozen


@frozen
class AuditEntry:
    """One change, written in the same atomic step as the change itself; holds no secret.

    *actor* did *action* (``key.issued``) to *subject* (a key's or a plan's id) of *account*.
    """

    id: str
    at: datetime
    account: str
    actor: str
    action: str
    subject: str
    details: Mapping[str, str] = field(factory=dict)
