"""Sealing and verifying a million rows of the record: bin/python -m tests.bench.audit [--rows 1000000]

Makes the rows (seven accesses to three changes) in a database of its own, seals and verifies them as the commands do, and prints seconds,
seconds of CPU (this process and its server's) and the most memory used as JSON. The promise is a million rows verified in 60 seconds, in
constant memory; on a machine that does other things too, go by the CPU.
"""

import argparse
import json
import os
import resource
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ["STEADY_ENV"] = "test"
os.environ["DJANGO_SETTINGS_MODULE"] = "clinic.settings"

from tests import databases

NAME = f"{databases.NAME}_bench_audit"
ACCESSES = """
INSERT INTO clinic_accessevent (at, user_id, roles, action, view, patients, outcome, reason, transaction)
SELECT now(), 1 + n %% 500, ARRAY['nurse', 'counsellor'], 'chart.view', CASE WHEN n %% 3 = 0 THEN 'caseload' ELSE 'chart' END,
    CASE WHEN n %% 3 = 0 THEN (SELECT array_agg(n + k) FROM generate_series(1, 50) AS k) ELSE ARRAY[n] END, 'allowed', '', n
FROM generate_series(1, %s::bigint) AS n
"""
CHANGES = """
INSERT INTO clinic_change
    (at, user_id, action, reason, database_role, transaction, "table", "row", program_id, patient_id, operation, before, after)
SELECT now(), 1 + n %% 500, 'intake.edit', '', 'steady_web', n, 'intake_answer', n, 1, n, 'UPDATE',
    jsonb_build_object('value', n, 'version', 1),
    jsonb_build_object('value', n + 1, 'version', 2, 'at', now(), 'text', repeat('a sentence somebody wrote ', 5))
FROM generate_series(1, %s::bigint) AS n
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    wanted = parser.parse_args().rows
    databases.prepare()

    import django

    django.setup()
    with databases.another(NAME) as database, tempfile.TemporaryDirectory() as folder:
        print(json.dumps(measure(database, Path(folder), wanted), indent=2))


def measure(database: Any, folder: Path, wanted: int) -> dict[str, Any]:
    from clinic.seal import clock, keys, make, outside, standing
    from clinic.seal.verify import Verification

    database.execute("TRUNCATE clinic_accessevent, clinic_change")
    database.execute("SET session_replication_role = replica")
    database.execute(ACCESSES, [wanted * 7 // 10])
    database.execute(CHANGES, [wanted - wanted * 7 // 10])
    database.execute("RESET session_replication_role")
    with database.cursor() as cursor:
        clock.keep_ahead(cursor)
    database.execute("VACUUM ANALYZE")
    key_file, copy = folder / "key.pem", folder / "seals" / "seals.jsonl"
    keys.make(key_file, outside.public_file(copy))
    before = memory()
    sealing, made = timed(database, lambda: make.seal(database, key_file=key_file, copy=copy))
    walk = Verification(database, copy)
    verifying, problems = timed(database, lambda: [*walk.problems(), *standing.problems(database)])
    assert not walk.counts.unsealed, walk.counts
    # The clones of the template have lost the changes that recorded their settings; these rows are no part of what is measured.
    assert not [problem for problem in problems if problem.startswith(("Access", "Change", "Seal"))], problems[:3]
    memory_mb = {"before": before, "most": memory()}
    return {"rows": walk.counts.rows, "seals": len(made), "seal": sealing, "verify": verifying, "memory_mb": memory_mb}


def timed(database: Any, work: Callable[[], Any]) -> tuple[dict[str, float], Any]:
    start, cpu, server = time.monotonic(), time.process_time(), server_cpu(database)
    done = work()
    spent = {"seconds": time.monotonic() - start, "cpu": time.process_time() - cpu, "server_cpu": server_cpu(database) - server}
    return {name: round(value, 1) for name, value in spent.items()}, done


def server_cpu(database: Any) -> float:
    """Seconds of CPU of the server's process behind this connection, where it runs on this machine; else 0."""
    stat = Path(f"/proc/{database.info.backend_pid}/stat")
    if not stat.exists():
        return 0.0
    fields = stat.read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def memory() -> int:
    """The most this process has used so far, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


if __name__ == "__main__":
    main()
