"""The credentials that a caller brings along for its own call."""

from collections.abc import Mapping, Sequence

from attrs import frozen

from tollkeeper.application.chat_options import CallOptions
from tollkeeper.domain.credentials import Credential
from tollkeeper.domain.errors import InvalidRequest


@frozen
class OwnCredentials:
    """What a caller brings, by provider and base URL; for its call no other is used.

    A provider that chats and embeds at two places takes a credential for each.
    """

    _by_place: Mapping[tuple[str, str], Credential]

    def at(self, provider: str, base_url: str) -> Credential | None:
        """Return the credential for *base_url* of *provider*; None if there is none for *provider*.

        One that is bound to another place is returned too: the adapter refuses it, sends
        nothing, and says to which place it is bound.
        """
        found = self._by_place.get((provider, base_url.rstrip("/")))
        if found is not None:
            return found
        return next((each for each in self._by_place.values() if each.provider == provider), None)

    def has(self, provider: str) -> bool:
        """Whether there is any for *provider*."""
        return any(each.provider == provider for each in self._by_place.values())


def own_credentials(credentials: Sequence[Credential] | None) -> OwnCredentials | None:
    """Return what a caller brings; None if it leaves the choice to the house.

    Raises:
        InvalidRequest: they are no list of Credentials; the list is empty (code
            ``credential_missing``): who wants the house's keys brings None; two are for the same
            place (code ``credential_twice``).
    """
    if credentials is None:
        return None
    if not isinstance(credentials, Sequence) or not all(
        isinstance(each, Credential) for each in credentials
    ):
        raise InvalidRequest("credentials are a list, each made with tk.bind_credential()")
    if not credentials:
        raise InvalidRequest(
            "the call brings an empty list of credentials, so no key may be used: bring one, or "
            "None to use the house's",
            code="credential_missing",
        )
    by_place: dict[tuple[str, str], Credential] = {}
    for each in credentials:
        place = each.provider, each.base_url.rstrip("/")
        if place in by_place:
            raise InvalidRequest(
                f"the call brings two credentials for {each.provider} at {each.base_url}: choose "
                "one of them",
                code="credential_twice",
            )
        by_place[place] = each
    return OwnCredentials(by_place)


def require_credential(options: CallOptions, provider: str) -> None:
    """Check that a caller who brings credentials brings one for *provider*.

    Raises:
        InvalidRequest: there is none (code ``credential_missing``); no other would be used.
    """
    own = own_credentials(options.get("credentials"))
    if own is not None and not own.has(provider):
        raise InvalidRequest(
            f"the call brings credentials, and none for {provider}", code="credential_missing"
        )
