"""What row-level security costs at 50,000 patients: python -m tests.bench.row_security [PATIENTS]

Each page and search is asked in turns with and without it, in one run; shown are the pages of the database read (shared buffers, all
statements together), the median time in ms and the number of statements.
"""

import os
import statistics
import sys
import time
from collections.abc import Callable

from tests import databases

os.environ |= {"STEADY_ENV": "test", "DJANGO_SETTINGS_MODULE": "clinic.settings"}
databases.prepare()

import django  # noqa: E402

django.setup()

from django.db import connection  # noqa: E402
from django.test import Client  # noqa: E402
from django.test.utils import CaptureQueriesContext  # noqa: E402

from clinic.models import Patient  # noqa: E402
from clinic.row_security import walled_tables  # noqa: E402
from clinic.transaction import acting  # noqa: E402
from tests.people import House, make_house  # noqa: E402

ROUNDS = 15
# Made-up names of three syllables: 8,000 last names and 512 first names.
SYLLABLES = "ba ke li mo nu ra se ti vo wa ja ho du fe gi pa qu xe za yo"
SYLLABLE = f"(string_to_array('{SYLLABLES}', ' '))[1 + ({{n}} % 20)]"
PATIENTS = """
INSERT INTO clinic_patient (
    public_id, program_id, record_number, legal_first_name, legal_last_name, preferred_name, birth_date, sex_at_birth, gender, pronouns,
    language, interpreter_needed, phone, email, address, preferred_contact, safe_to_call, safe_to_leave_message, safe_to_text,
    safe_to_email, safe_to_mail, contact_note, emergency_name, emergency_relation, emergency_phone, emergency_knows, registered_at,
    registered_by_id, registration_key, version
)
SELECT
    gen_random_uuid(), %(program)s, 'X' || n, {first}, {last}, '', date '1950-01-01' + n %% 20000, 'F', '', '',
    'English', false, '', '', '', 'phone', false, false, false,
    false, false, '', '', '', '', false, now(),
    %(by)s, gen_random_uuid(), 1
FROM generate_series(1, %(patients)s) n;
INSERT INTO clinic_episode (
    public_id, program_id, patient_id, referral_source, presenting_reason, opened_at, opened_by_id, stage, acuity,
    acuity_reason, unacknowledged, next_due_what, score_summary, next_due_at
)
SELECT
    gen_random_uuid(), program_id, id, 'self', 'Made up', now() - id * interval '1 minute', %(by)s, 'assessed', id %% 5,
    '', 0, 'Write the plan', '{{}}', current_date + (id %% 30)::int
FROM clinic_patient WHERE record_number LIKE 'X%%';
INSERT INTO intake_flag (
    public_id, program_id, patient_id, episode_id, rule_id, name, severity, message, action, proof, status, still_fires,
    raised_at, raised_by_id, action_taken, evaluation
)
SELECT
    gen_random_uuid(), program_id, patient_id, id, 'SF-0' || n, 'A flag', n, 'It fired.', 'Act.', '{{}}', 'open', true,
    now(), %(by)s, '', ''
FROM clinic_episode, generate_series(1, 3) n WHERE presenting_reason = 'Made up';
INSERT INTO clinic_careteammember (program_id, patient_id, episode_id, user_id, joined_at, joined_by_id)
SELECT program_id, patient_id, id, %(nurse)s, now(), %(by)s FROM clinic_episode WHERE presenting_reason = 'Made up' AND id %% 250 = 0;
INSERT INTO clinic_accessevent (at, user_id, roles, action, view, patients, outcome, reason)
SELECT now(), %(nurse)s, '{{nurse}}', 'chart.view', 'chart', ARRAY[patient_id], 'allowed', ''
FROM clinic_episode, generate_series(1, 4) n WHERE presenting_reason = 'Made up';
"""


def main() -> None:
    patients = int(sys.argv[1]) if len(sys.argv) > 1 else 50_000
    databases.clone()
    try:
        house = make_house()
        fill(house, patients)
        compare(house)
    finally:
        connection.close()
        databases.drop()


def fill(house: House, patients: int) -> None:
    last = "initcap(" + " || ".join(SYLLABLE.format(n=f"(n / {step})") for step in (1, 20, 400)) + ")"
    first = "initcap(" + " || ".join(SYLLABLE.format(n=f"(n * 7 / {step} % 8)") for step in (1, 8, 64)) + ")"
    values = {"program": house.program.pk, "by": house.staff["intake"].pk, "nurse": house.staff["nurse"].pk, "patients": patients}
    with databases.admin(databases.NAME) as owner:
        owner.execute("SET session_replication_role = replica")  # the record of changes is not what is measured
        for statement in PATIENTS.format(first=first.replace("%", "%%"), last=last.replace("%", "%%")).split(";\n"):
            if statement.strip():
                owner.execute(statement, values)
        owner.execute("VACUUM ANALYZE")


def compare(house: House) -> None:
    clients = {role: Client() for role in ("intake", "nurse", "supervisor")}
    for role, client in clients.items():
        client.force_login(house.staff[role])
    episode = f"/episodes/{house.mine.public_id}"
    person = {
        "program": house.program.pk, "referral_source": "self", "presenting_reason": "x", "legal_first_name": "Ann",
        "legal_last_name": "Kelimo", "birth_date": "1980-01-01", "sex_at_birth": "F", "language": "English", "preferred_contact": "phone",
        "asked": "1", "key": "00000000-0000-4000-8000-000000000001",
    }  # fmt: skip
    pages: dict[str, Callable[[], object]] = {
        "caseload, supervisor": lambda: clients["supervisor"].get("/caseload/"),
        "caseload, nurse": lambda: clients["nurse"].get("/caseload/"),
        "chart, nurse": lambda: clients["nurse"].get(f"{episode}/chart/"),
        "trail, supervisor": lambda: clients["supervisor"].get(f"{episode}/trail/"),
        "search a beginning": lambda: clients["intake"].post("/patients/", {"q": "Kelim"}),
        "search with a slip": lambda: clients["intake"].post("/patients/", {"q": "Kelimmo"}),
        "search two names, nurse": lambda: clients["nurse"].post("/patients/", {"q": "Minecanary Ana"}),
        "search a record number": lambda: clients["intake"].post("/patients/", {"q": "R0000001"}),
        "possible duplicates": lambda: clients["intake"].post("/patients/register/", person),
        "a name of the table itself": lambda: beginning(house, "kelim"),
    }
    print(f"{'':28}{'with: buffers':>15}{'ms':>8}{'statements':>12}{'without: buffers':>18}{'ms':>8}")
    for name, ask in pages.items():
        buffers = {on: switched(on, lambda: pages_read(ask)) for on in (True, False)}  # noqa: B023
        times: dict[bool, list[float]] = {True: [], False: []}
        for _ in range(ROUNDS):
            for on in (True, False):
                times[on].append(switched(on, lambda: timed(ask)))  # noqa: B023
        took = {on: statistics.median(values) * 1000 for on, values in times.items()}
        print(f"{name:28}{buffers[True][0]:>15}{took[True]:>8.1f}{buffers[True][1]:>12}{buffers[False][0]:>18}{took[False]:>8.1f}")


def beginning(house: House, word: str) -> list[Patient]:
    """What the search would cost without the owner's function."""
    with acting(house.staff["intake"], "patient.search"):
        return list(Patient.objects.filter(program=house.program, legal_last_name__lower__startswith=word))


def switched(on: bool, measure: Callable):  # type: ignore[no-untyped-def, type-arg]
    verb = "ENABLE" if on else "DISABLE"
    with databases.admin(databases.NAME) as owner:
        for table, _ in walled_tables():
            owner.execute(f'ALTER TABLE "{table}" {verb} ROW LEVEL SECURITY')
    return measure()


def timed(ask: Callable[[], object]) -> float:
    ask()  # plans and caches of the switched tables
    begun = time.perf_counter()
    ask()
    return time.perf_counter() - begun


def pages_read(ask: Callable[[], object]) -> tuple[int, int]:
    """Shared buffers hit or read by all statements of a page, and how many statements; each is explained in the page's own place."""
    read = [0]

    def explain(execute, sql, params, many, context):  # type: ignore[no-untyped-def]
        if sql.startswith("SELECT") and "set_config" not in sql:
            with connection.cursor() as cursor, connection.execute_wrapper(lambda run, *rest: run(*rest)):
                cursor.cursor.execute("EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) " + sql, params)
                plan = cursor.fetchone()[0][0]["Plan"]
            pages = plan["Shared Hit Blocks"] + plan["Shared Read Blocks"]
            read[0] += pages
            if os.environ.get("EXPLAIN") and pages > 200:
                with connection.cursor() as cursor:
                    cursor.cursor.execute("EXPLAIN (ANALYZE, BUFFERS) " + sql, params)
                    print(pages, sql[:300], *[row[0] for row in cursor.fetchall()], sep="\n  ")
        return execute(sql, params, many, context)

    ask()
    with connection.execute_wrapper(explain), CaptureQueriesContext(connection) as queries:
        ask()
    return read[0], len(queries)


if __name__ == "__main__":
    main()
