"""What the database alone can take: one JSONB row and ten score rows, two statements, one transaction. Run by tests.bench.submit."""

import json
import resource
import sys
import threading
import time

import psycopg

TABLES = """
CREATE TABLE IF NOT EXISTS bench_submission (id bigserial PRIMARY KEY, at timestamptz NOT NULL DEFAULT now(), document jsonb NOT NULL);
CREATE TABLE IF NOT EXISTS bench_score (
    id bigserial PRIMARY KEY, submission_id bigint NOT NULL REFERENCES bench_submission, code text NOT NULL, total numeric NOT NULL);
"""
SCORES = 10
INSERT_SCORES = "INSERT INTO bench_score (submission_id, code, total) VALUES " + ", ".join(["(%s, %s, %s)"] * SCORES)


def main() -> None:
    """Arguments: conninfo, clients, seconds; the document on the standard input. Prints how many, seconds, and seconds of its own CPU."""
    conninfo, clients, seconds = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
    document, done = sys.stdin.read(), [0] * clients
    json.loads(document)
    connections = [psycopg.connect(conninfo) for _ in range(clients)]
    connections[0].execute(TABLES)
    connections[0].commit()
    begin = time.monotonic()

    def write(place: int, connection: psycopg.Connection) -> None:
        while time.monotonic() < begin + seconds:
            row = connection.execute("INSERT INTO bench_submission (document) VALUES (%s) RETURNING id", [document]).fetchone()
            values = [value for number in range(SCORES) for value in (row[0], f"score{number}", number)]  # type: ignore[index]
            connection.execute(INSERT_SCORES, values)
            connection.commit()
            done[place] += 1

    before = _cpu()
    threads = [threading.Thread(target=write, args=pair) for pair in enumerate(connections)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print(sum(done), time.monotonic() - begin, _cpu() - before)


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    main()
