"""The number of a transaction, which orders the record. PostgreSQL's own counter, set forward once where a database was moved.

A database that is restored on another server brings its rows along and not the counter: new rows would get numbers that were sealed
long ago. `steady_era()` is what is added to the counter; `keep_ahead` raises it until every new number is new.
"""

from django.db.backends.utils import CursorWrapper

SEALED_TABLES = ("clinic_accessevent", "clinic_change")
# Stable and not immutable: an open session must see that it was raised.
ERA = "CREATE OR REPLACE FUNCTION steady_era() RETURNS bigint LANGUAGE sql STABLE AS 'SELECT {:d}::bigint'"
# For a function of the database: what it stamps a row with.
NUMBER = "pg_current_xact_id()::text::bigint + public.steady_era()"
# The first number that a running transaction may still use, and the first that was not given out yet.
OLDEST = "pg_snapshot_xmin(pg_current_snapshot())::text::bigint + public.steady_era()"
NEXT = "pg_snapshot_xmax(pg_current_snapshot())::text::bigint + public.steady_era()"


def keep_ahead(cursor: CursorWrapper) -> int:
    """Make `steady_era()` such that no new transaction gets a number that is used already; as the owner. Returns the era.

    Part of raising the walls, so of every `migrate`; a restore does it after its last row and before anybody works.
    """
    cursor.execute("SELECT to_regprocedure('public.steady_era()') IS NOT NULL")
    if not cursor.fetchone()[0]:
        cursor.execute(ERA.format(0))
    used = [f"(SELECT max(transaction) FROM {table})" for table in SEALED_TABLES]
    used.append("(SELECT clock - 1 FROM clinic_seal ORDER BY number DESC LIMIT 1)")
    cursor.execute(f"SELECT public.steady_era(), {NEXT}, greatest({', '.join(used)}, 0)")
    era, following, newest = cursor.fetchone()
    if newest >= following:
        era += newest - following + 1
        cursor.execute(ERA.format(era))
    return era
