"""Certificates of loopback servers and their clients; made for the tests, good until 2120."""

import ssl
from pathlib import Path

FOLDER = Path(__file__).parent / "tls"
AUTHORITY = str(FOLDER / "authority.pem")
"""Who signed them all."""
ANOTHER_AUTHORITY = str(FOLDER / "another_authority.pem")
CLIENT, CLIENT_KEY = str(FOLDER / "client.pem"), str(FOLDER / "client_key.pem")


def server_context(
    *, name: str = "server", clients_must_show_theirs: bool = False
) -> ssl.SSLContext:
    """Make the context of a server at 127.0.0.1; that named ``elsewhere`` claims another name."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(FOLDER / f"{name}.pem", FOLDER / f"{name}_key.pem")
    if clients_must_show_theirs:
        context.load_verify_locations(AUTHORITY)
        context.verify_mode = ssl.CERT_REQUIRED
    return context
