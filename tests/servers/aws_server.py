"""AWS on loopback: moto in a process of its own, started once, and a front that has faults.

``shared_aws_url()`` is where it is; ``TOLLKEEPER_TEST_AWS_URL`` names another server instead.
``python -m tests.servers.aws_server`` prints its port, and ends with its stdin.
"""

import atexit
import os
import subprocess
import sys
import uuid
from functools import cache
from pathlib import Path
from typing import Any

OTHER_SERVER = "TOLLKEEPER_TEST_AWS_URL"
REGION = "eu-west-1"
_ROOT = Path(__file__).parents[2]


def credentials(name: str = "AKIATESTING") -> dict[str, str]:
    """Return the variables that a host would hand over; moto takes any key."""
    return {
        "AWS_ACCESS_KEY_ID": name,
        "AWS_SECRET_ACCESS_KEY": f"secret-access-key-of-{name}",
        "AWS_SESSION_TOKEN": f"session-token-of-{name}",
    }


@cache
def shared_aws_url() -> str:
    """Return the URL of the server that the suites of this process share, and start it."""
    other = os.environ.get(OTHER_SERVER)
    if other:
        return other
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.servers.aws_server"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        cwd=_ROOT,
    )
    atexit.register(_end, process)
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line, "moto did not start: pip install 'moto[server,kms,secretsmanager]'"
    return f"http://127.0.0.1:{int(line)}"


def _end(process: "subprocess.Popen[bytes]") -> None:
    assert process.stdin is not None
    process.stdin.close()
    try:
        process.wait(timeout=5)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


@cache
def aws_client(service: str, url: str) -> Any:
    """Return a client that looks behind the adapter, at the server itself."""
    from boto3.session import Session  # type: ignore[import-untyped]  # it ships no types
    from botocore.config import Config  # type: ignore[import-untyped]  # it ships no types

    made = credentials("AKIABEHIND")
    session = Session(
        aws_access_key_id=made["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=made["AWS_SECRET_ACCESS_KEY"],
        region_name=REGION,
    )
    # What AWS may hold since long ago, its own client refuses to write.
    client = session.client(service, endpoint_url=url, config=Config(parameter_validation=False))
    atexit.register(client.close)
    return client


def new_prefix() -> str:
    """Return a prefix under which nobody has secrets."""
    return f"test/{uuid.uuid4().hex}/"


def main() -> None:
    """Serve until stdin ends."""
    from moto.server import ThreadedMotoServer

    # Port 0 asks the system for a free one.
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    stdout, sys.stdout = sys.stdout, sys.stderr
    server.start()
    print(server.get_host_and_port()[1], file=stdout, flush=True)
    sys.stdin.buffer.read()
    server.stop()


if __name__ == "__main__":
    main()
