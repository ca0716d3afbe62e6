"""kill -9 under load: python -m tests.crash [--operations N] [--seconds N] [--web-every N] [--database-every N] [--synchronous-commit off]

Prints what happens and, last, one line of JSON; ends with 0 when nothing acknowledged was lost, half done or doubled.
With `--synchronous-commit off` it must fail: then the server says "saved" before it is, and what was not yet flushed from its memory
goes with it. That is lost only while it waits there, so that mode also keeps it there long (tests/crash/house.py, FORGETS).
"""

import argparse
import json
import shutil
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

from tests.crash.house import FORGETS, House, opened

# One is killed after about so many acknowledged operations.
WEB, DATABASE = 60, 200


def main() -> None:
    options = _options()
    forgets = options.synchronous_commit == "off"
    with opened(options.clients, **(FORGETS if forgets else {})) as house:
        if forgets:  # the start would have refused: somebody turns it off later
            _forget(house)
        result = _break(house, options)
    print(json.dumps(result))
    sys.exit(0 if result["passed"] else 1)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.crash", description=__doc__.splitlines()[0])
    parser.add_argument("--operations", type=int, default=10_000, help="acknowledged operations until the load ends (default 10000)")
    parser.add_argument("--seconds", type=int, default=7200, help="or until so many seconds have passed (default 7200)")
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--web-every", type=int, default=WEB, help="kill a web worker after about so many operations; 0: never")
    parser.add_argument("--database-every", type=int, default=DATABASE, help="kill the database after about so many operations; 0: never")
    parser.add_argument("--synchronous-commit", choices=["on", "off"], default="on")
    parser.add_argument("--seed", type=int, default=1)
    return parser.parse_args()


def _forget(house: House) -> None:
    import psycopg

    with psycopg.connect(house.cluster.conninfo(), autocommit=True) as connection:
        connection.execute("ALTER ROLE steady_web SET synchronous_commit = off")
        connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'steady_web'")


def _break(house: House, options: argparse.Namespace) -> dict[str, Any]:
    from tests.crash.browser import Browser
    from tests.crash.journey import Client, Journal
    from tests.crash.ledger import findings
    from tests.crash.violence import DatabaseKiller, Killer, WebKiller, revive

    enough, peace = threading.Event(), threading.Event()
    journal = Journal(house.folder / "journal.jsonl")
    clients = [Client(Browser(house, name), journal, enough, options.seed * 100 + n) for n, name in enumerate(house.names)]
    killers: list[Killer] = [WebKiller(house, journal, peace, options.web_every, options.seed)] if options.web_every else []
    killers += [DatabaseKiller(house, journal, peace, options.database_every, options.seed)] if options.database_every else []
    began = time.monotonic()
    for thread in (*clients, *killers):
        thread.start()
    while len(journal.lines) < options.operations and time.monotonic() < began + options.seconds:
        time.sleep(1)
        if int(time.monotonic() - began) % 15 == 0:
            _say(journal, killers, began)
        if not any(client.is_alive() for client in clients):
            break
    if options.database_every and options.synchronous_commit == "off":
        house.kill_server()
    peace.set()
    for killer in killers:
        killer.join()
    revive(house)
    enough.set()
    for client in clients:
        client.join(120)
    _say(journal, killers, began)
    found = findings(house, journal)
    if journal.strange:  # the folder is about to go
        shutil.copy(house.folder / "web.log", Path(tempfile.gettempdir()) / "steady-crash-web.log")
    return _result(journal, killers, clients, found, time.monotonic() - began)


def _say(journal: Any, killers: list[Any], began: float) -> None:
    kills = {name: count for killer in killers for name, count in killer.kills.items()}
    seconds = time.monotonic() - began
    print(f"{seconds:5.0f} s: {len(journal.lines)} acknowledged, answers {dict(journal.answers)}, killed {kills}", flush=True)


def _result(journal: Any, killers: list[Any], clients: list[Any], found: dict[str, list[str]], seconds: float) -> dict[str, Any]:
    result: dict[str, Any] = {
        "acknowledged": len(journal.lines),
        "by kind": {what: len(journal.of(what)) for what in sorted({line["what"] for line in journal.lines})},
        "answers": dict(journal.answers),
        "killed": {name: count for killer in killers for name, count in killer.kills.items()},
        "slowest answer, s": round(journal.slowest, 2),
        "slowest start of the database, s": round(max((killer.slowest_start for killer in killers), default=0), 2),
        "seconds": round(seconds),
        "stuck clients": sum(client.is_alive() for client in clients),
        "strange answers": journal.strange,
    }
    result |= {name: len(rows) for name, rows in found.items()} | {f"{name}, first": rows[:5] for name, rows in found.items() if rows}
    result["passed"] = not any(found.values()) and not journal.strange and not result["stuck clients"] and bool(journal.lines)
    return result


if __name__ == "__main__":
    main()
