"""The names of one tenant's things, which no name of another, or of none, meets."""

from attrs import frozen

from tollkeeper.domain.checks import checked_account

LONGEST_NAME = 120
"""A name's characters: what a port takes, less the longest tenant."""


@frozen
class TenantNames:
    """Makes names for the ports: of *tenant*, or of what belongs to none."""

    tenant: str | None = None

    def of(self, tenant: str) -> "TenantNames":
        """Return the names of *tenant*.

        Raises:
            InvalidRequest: *tenant* is no name that an account may have.
        """
        return TenantNames(checked_account(tenant))

    def name(self, name: str) -> str:
        """Return the port's name for *name*."""
        if self.tenant is not None:
            # A tenant has no braces, so nothing outside of all tenants begins with one.
            return f"{{{self.tenant}}}:{name}"
        return f"%{name}" if name.startswith(("{", "%")) else name
