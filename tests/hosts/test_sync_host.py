"""Hosts without an event loop: threads share one facade."""

import subprocess
import sys
import textwrap
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from traceback import TracebackException

import pytest

from tests.application.world import EVERYTHING, settings_in
from tollkeeper import Money, Principal, open_tollkeeper_sync, user
from tollkeeper.domain.errors import Conflict, InsufficientCredit, Unauthenticated
from tollkeeper.domain.secret import Secret

PRINCIPAL = Principal(account="acme", scopes=EVERYTHING)


def test_the_main_job_without_a_loop(tmp_path: Path) -> None:
    with open_tollkeeper_sync(settings_in(tmp_path)) as tk:
        issued = tk.issue_key(account="acme", scopes=EVERYTHING)
        tk.grant_credit(account="acme", amount=Money.of("0.02", "USD"), idempotency_key="welcome")
        principal = tk.authenticate_key(issued.token)
        whole = tk.complete(principal, model="offline/echo", messages=[user("Hello there")])
        stream = tk.stream_completion(
            principal, model="offline/echo", messages=[user("Hello there")]
        )
        assert "".join(delta.text for delta in stream) == whole.text
        assert stream.receipt is not None
        with pytest.raises(InsufficientCredit):
            tk.complete(principal, model="offline/echo", messages=[user("Hello there")])
        with pytest.raises(Unauthenticated):
            tk.authenticate_key("nonsense")
        assert tk.report_usage(account="acme").balances[0].posted.nanos == 0


def test_many_threads_share_one_facade(tmp_path: Path) -> None:
    settings = settings_in(tmp_path, store=f"sqlite:///{tmp_path}/ledger.db")
    with open_tollkeeper_sync(settings) as tk, ThreadPoolExecutor(16) as threads:
        tk.grant_credit(account="acme", amount=Money.of("0.30", "USD"), idempotency_key="welcome")

        def call(number: int) -> bool:
            try:
                tk.complete(PRINCIPAL, model="offline/echo", messages=[user(f"hello {number}")])
            except InsufficientCredit:
                return False
            return True

        assert sum(threads.map(call, range(60))) == 30
        assert tk.report_usage(account="acme").balances[0].posted.nanos == 0


def test_leaving_a_stream_early_charges_what_came(tmp_path: Path) -> None:
    with open_tollkeeper_sync(settings_in(tmp_path)) as tk:
        tk.grant_credit(account="acme", amount=Money.of("1", "USD"), idempotency_key="welcome")
        with tk.stream_completion(
            PRINCIPAL, model="offline/echo", messages=[user("one two three four")]
        ) as stream:
            for _ in stream:
                break
        assert stream.receipt is not None
        assert tk.report_usage(account="acme").balances[0].held.nanos == 0


def test_workers_open_their_own_facade_after_the_fork(tmp_path: Path) -> None:
    settings_in(tmp_path)
    script = textwrap.dedent(
        f"""
        import os
        from pathlib import Path
        from tests.application.world import EVERYTHING, settings_in
        from tollkeeper import Money, Principal, open_tollkeeper_sync, user

        settings = settings_in(Path({str(tmp_path)!r}), store="sqlite:///{tmp_path}/ledger.db")
        children = []
        for number in range(4):
            child = os.fork()
            if child == 0:
                with open_tollkeeper_sync(settings) as tk:
                    tk.grant_credit(
                        account="acme", amount=Money.of("1", "USD"), idempotency_key=str(number)
                    )
                    for _ in range(10):
                        tk.complete(
                            Principal(account="acme", scopes=EVERYTHING),
                            model="offline/echo",
                            messages=[user("hello")],
                        )
                os._exit(0)
            children.append(child)
        assert [os.waitpid(child, 0)[1] for child in children] == [0] * 4
        with open_tollkeeper_sync(settings) as tk:
            print(tk.report_usage(account="acme").balances[0].posted.amount)
        """
    )
    root = Path(__file__).parents[2]
    result = subprocess.run(
        [sys.executable, "-c", script], cwd=root, capture_output=True, text=True, check=False
    )
    assert result.stdout.strip() == "3.60", result.stderr


def test_a_closed_facade_says_so(tmp_path: Path) -> None:
    question = (user("one two three four"),)
    with open_tollkeeper_sync(settings_in(tmp_path)) as tk:
        tk.grant_credit(account="acme", amount=Money.of("1", "USD"), idempotency_key="welcome")
        stream = tk.stream_completion(PRINCIPAL, model="offline/echo", messages=question)
        next(iter(stream))
        unread = tk.stream_completion(PRINCIPAL, model="offline/echo", messages=question)
    uses: list[Callable[[], object]] = [
        lambda: tk.report_usage(account="acme"),
        lambda: tk.authenticate_key("nonsense"),
        lambda: tk.complete(PRINCIPAL, model="offline/echo", messages=question),
        lambda: tk.stream_completion(PRINCIPAL, model="offline/echo", messages=question),
        unread.completion,
        lambda: list(unread),
    ]
    for use in uses:
        with pytest.raises(Conflict, match="this facade is closed; open another one") as caught:
            use()
        assert caught.value.code == "facade_closed"
    unread.close()  # it is over already


def test_no_traceback_shows_a_key(tmp_path: Path) -> None:
    with open_tollkeeper_sync(settings_in(tmp_path)) as tk:
        issued = tk.issue_key(account="acme", scopes=EVERYTHING)
        tk.revoke_key(account="acme", key_id=issued.key.id)
        for make in (str, Secret):
            with pytest.raises(Unauthenticated) as caught:
                tk.authenticate_key(make(issued.token.reveal()))
            shown = "".join(
                TracebackException(
                    type(caught.value),
                    caught.value,
                    caught.tb.tb_next,  # the first frame is this one
                    capture_locals=True,
                ).format()
            )
            assert "authenticate_key" in shown
            assert issued.token.reveal() not in shown
