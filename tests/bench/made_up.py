"""Invented clinics of any size: staff, programs, patients with an episode each and a care team; drafts that only wait for their submit.

Every row is a copy of one that the application itself wrote, with names, dates and numbers of its own, so that no column is forgotten.
Copies are written by the superuser without triggers: a million patients in minutes, and no record of changes nobody made.
"""

import math
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.sessions.backends.db import SessionStore
from django.utils import timezone

from clinic.models import Episode, Program, User
from clinic.transaction import acting
from intake import actions
from intake.models import Instrument
from plans.people import people
from tests.bench.clinic import admin, create, say, use
from tests.people import make_episode, make_user

PROGRAMS, TEAM, OPEN_SHARE, CHUNK = 20, 40, 0.3, 50_000
ASKED = ("asq", "phq9", "gad7", "auditc", "sud11")  # 36 answers of the invented V1
FIRST = """
James Mary Michael Patricia Robert Jennifer John Linda David Elizabeth William Barbara Richard Susan Joseph Jessica Thomas Karen
Christopher Sarah Charles Lisa Daniel Nancy Matthew Sandra Anthony Ashley Mark Emily Steven Kimberly Andrew Michelle Paul Amanda Joshua
Melissa Kenneth Deborah Kevin Stephanie Brian Rebecca Timothy Laura Ronald Cynthia Jason Dorothy Jeffrey Amy Ryan Kathleen José María
Luis Ana Juan Carmen Miguel Rosa Wei Mei Hiroshi Yuki Ahmed Fatima Omar Layla Aarav Priya Nguyen Linh Olga Ivan Zoë André
""".split()  # noqa: SIM905 as it is read
LAST = """
Smith Johnson Williams Brown Jones García Miller Davis Rodríguez Martínez Hernández López González Wilson Anderson Thomas Taylor Moore
Jackson Martin Lee Pérez Thompson White Harris Sánchez Clark Ramírez Lewis Robinson Walker Young Allen King Wright Scott Torres Nguyen
Hill Flores Green Adams Nelson Baker Hall Rivera Campbell Mitchell Carter Roberts Gómez Phillips Evans Turner Díaz Parker Cruz Edwards
Collins Reyes Stewart Morris Morales Murphy Cook Rogers Gutiérrez Ortiz Morgan Cooper Peterson Bailey Reed Kelly Howard Ramos Kim Cox
Ward Richardson Watson Brooks Chávez Wood James Bennett Gray Mendoza Ruiz Hughes Price Álvarez Castillo Sanders Patel Myers
""".split()  # noqa: SIM905 as it is read
# Rare names, as most names are: one of each, joined.
BEGIN = """
Al An Bar Bel Bran Car Chal Dal Dor El Fer Fin Gar Gol Har Hol Jan Kar Kel Lam Lin Mal Mar Nor Ol Par Pet Ram Ros Sal Sten Tor
""".split()  # noqa: SIM905 as it is read
MIDDLE = """
a be co da de ding en er fe gen i ke la le lin ma men ni o ran ri sa sen ta ter ti va ve wen zi
""".split()  # noqa: SIM905 as it is read
END = """
berg by court dale der don ek er es ez field ford gren ham house ic ini ko land ler ley man mann ner no off out ova sen ski son ston ton
ville well
""".split()  # noqa: SIM905 as it is read

PATIENTS = """
INSERT INTO clinic_patient
SELECT copy.* FROM clinic_patient one, generate_series(%(first)s::bigint, %(last)s::bigint) number,
  LATERAL (SELECT power(random(), 2.2) AS f, power(random(), 2.2) AS l, random() AS rare, random() AS p, random() AS b,
    number AS own) chance,
  LATERAL jsonb_populate_record(one, jsonb_build_object(
    'id', number, 'public_id', gen_random_uuid(), 'registration_key', gen_random_uuid(),
    'record_number', 'R' || lpad(number::text, 7, '0'), 'program_id', (%(programs)s::bigint[])[1 + number %% %(count)s],
    'legal_first_name', (%(first_names)s::text[])[1 + floor(f * cardinality(%(first_names)s::text[]))],
    'legal_last_name', CASE WHEN rare < 0.6 THEN (%(last_names)s::text[])[1 + floor(l * cardinality(%(last_names)s::text[]))]
      ELSE (%(begin)s::text[])[1 + floor(f * cardinality(%(begin)s::text[]))]
        || (%(middle)s::text[])[1 + floor(b * cardinality(%(middle)s::text[]))]
        || (%(end)s::text[])[1 + floor(p * cardinality(%(end)s::text[]))] END,
    'birth_date', date '1945-01-01' + (b * 22000)::int, 'sex_at_birth', CASE WHEN p < 0.45 THEN 'F' ELSE 'M' END,
    'registered_at', now() - random() * interval '4 years')) copy
WHERE one.id = (SELECT min(id) FROM clinic_patient)
"""
EPISODES = """
INSERT INTO clinic_episode
SELECT copy.* FROM clinic_episode one, clinic_patient patient,
  LATERAL (SELECT random() >= %(open)s AS closed, random() AS a, random() AS d, patient.id AS own) chance,
  LATERAL (SELECT CASE WHEN a < 0.02 THEN 4 WHEN a < 0.12 THEN 3 WHEN a < 0.35 THEN 2 WHEN a < 0.5 THEN 1 ELSE 0 END AS grade) worst,
  LATERAL jsonb_populate_record(one, jsonb_build_object(
    'id', patient.id, 'public_id', gen_random_uuid(), 'program_id', patient.program_id, 'patient_id', patient.id,
    'opened_at', patient.registered_at, 'closed_at', CASE WHEN closed THEN now() END,
    'stage', CASE WHEN closed THEN 'closed' WHEN d < 0.1 THEN 'intake' WHEN d < 0.3 THEN 'planning' ELSE 'treatment' END,
    'acuity', grade, 'unacknowledged', grade / 2, 'acuity_reason', CASE WHEN grade > 0 THEN 'Sedatives with kratom' ELSE '' END,
    'next_due_at', current_date + (d * 90)::int - 10, 'next_due_what', CASE WHEN d < 0.3 THEN 'Write the plan' ELSE 'Review the plan' END,
    'score_summary', %(scores)s::jsonb)) copy
WHERE one.id = (SELECT min(id) FROM clinic_episode) AND patient.id BETWEEN %(first)s AND %(last)s
"""
TEAMS = """
INSERT INTO clinic_careteammember
SELECT copy.* FROM clinic_careteammember one, clinic_episode episode,
  LATERAL jsonb_populate_record(one, jsonb_build_object(
    'id', episode.id, 'program_id', episode.program_id, 'patient_id', episode.patient_id, 'episode_id', episode.id,
    'user_id', (%(team)s::bigint[])[1 + episode.id %% %(members)s])) copy
WHERE one.id = (SELECT min(id) FROM clinic_careteammember) AND episode.id BETWEEN %(first)s AND %(last)s AND episode.stage <> 'closed'
"""
SCORES = (
    '{"phq9": {"label": "PHQ-9", "value": "13", "band": "moderate"}, "gad7": {"label": "GAD-7", "value": "9", "band": "mild"},'
    ' "sud11": {"label": "SUD-11", "value": "5", "band": "moderate"}}'
)
COUNSELLORS = """
INSERT INTO clinic_user
SELECT copy.* FROM clinic_user one, generate_series(%(first)s::bigint, %(last)s::bigint) number,
  LATERAL jsonb_populate_record(one, jsonb_build_object(
    'id', number, 'username', 'counsellor' || number, 'email', '', 'public_id', gen_random_uuid())) copy
WHERE one.username = 'counsellor'
"""
MEMBERSHIPS = """
INSERT INTO clinic_membership (user_id, program_id, role)
SELECT number, (%(programs)s::bigint[])[1 + number %% %(count)s], 'counsellor'
FROM generate_series(%(first)s::bigint, %(last)s::bigint) number
"""


def make_clinic(name: str, patients: int) -> None:
    """A database with that many patients over 20 programs, three in ten with an open episode, 40 of them with each counsellor.

    Staff made by the application: `clerk`, `counsellor`, `supervisor` and `nurse` of the first program, and `floater`, who is
    supervisor of two programs and counsellor in a third. Of the counsellors `counsellor` and `floater` are two.
    """
    create(name)
    use(name)
    programs = _staff()
    first, open_episodes = 1000, patients * OPEN_SHARE
    # Counsellor and patient of the same number belong to the same program: both are counted round the programs.
    counsellors = PROGRAMS * max(1, math.ceil(open_episodes / TEAM / PROGRAMS))
    values: dict[str, Any] = {
        "programs": programs, "count": PROGRAMS, "first_names": FIRST, "last_names": LAST, "begin": BEGIN, "middle": MIDDLE, "end": END,
        "open": OPEN_SHARE, "scores": SCORES, "members": counsellors,
    }  # fmt: skip
    with copying(name) as connection:
        span = {"first": first, "last": first + counsellors - 1}
        connection.execute(COUNSELLORS, span)
        connection.execute(MEMBERSHIPS, values | span)
        values["team"] = team = list(range(first, first + counsellors))
        team[0], team[2] = (User.objects.get(username=name).pk for name in ("counsellor", "floater"))
        for begin in range(first, first + patients, CHUNK):
            values |= {"first": begin, "last": min(begin + CHUNK, first + patients) - 1}
            for statement in (PATIENTS, EPISODES, TEAMS):
                connection.execute(statement, values)
            say(f"  {name}: {values['last'] - first + 1:,} of {patients:,} patients")


@contextmanager
def copying(name: str) -> Iterator[psycopg.Connection]:
    """The superuser's connection without triggers; afterwards every sequence is past what was copied, and the planner knows the tables."""
    with admin(name) as connection:
        connection.execute("SET session_replication_role = replica")
        connection.execute("SELECT setseed(0.42)")
        yield connection
        for table in ("clinic_user", "clinic_patient", "clinic_episode", "clinic_careteammember", "intake_response", "intake_answer"):
            connection.execute(f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), greatest(1, (SELECT max(id) FROM {table})))")
        connection.execute("SELECT setval('clinic_record_number', greatest(1, (SELECT max(id) FROM clinic_patient)))")
        connection.execute("VACUUM ANALYZE")


def _staff() -> list[int]:
    """Programs and named staff, one patient registered through the application's own actions. Returns the programs' ids."""
    programs = [Program.objects.create(name=f"Program {number}") for number in range(1, PROGRAMS + 1)]
    home, next_door, third = programs[0], programs[1], programs[2]
    staff = [
        make_user("clerk", ("intake", home)),
        make_user("counsellor", ("counsellor", home)),
        make_user("nurse", ("nurse", home)),
        make_user("supervisor", ("supervisor", home)),
        make_user("floater", ("supervisor", home), ("supervisor", next_door), ("counsellor", third)),
    ]
    give_second_factor(staff)
    home.duty_team.set([staff[1], staff[2]])
    make_episode(staff[0], home)
    return [program.pk for program in programs]


def give_second_factor(staff: Iterable[User]) -> None:
    """Without one nobody gets past the page that asks for it."""
    from allauth.mfa.models import Authenticator

    Authenticator.objects.bulk_create(Authenticator(user=user, type=Authenticator.Type.TOTP, data={"secret": ""}) for user in staff)


def session(username: str) -> str:
    """The session key of somebody who has logged in, the second factor included."""
    user = User.objects.get(username=username)
    store = SessionStore()
    store[SESSION_KEY], store[HASH_SESSION_KEY] = str(user.pk), user.get_session_auth_hash()
    store[BACKEND_SESSION_KEY] = settings.AUTHENTICATION_BACKENDS[0]
    now = timezone.now().timestamp()
    store["account_authentication_methods"] = [
        {"method": "password", "at": now, "username": username},
        {"method": "mfa", "at": now, "type": "totp", "reauthenticated": True},
    ]
    store.create()
    return str(store.session_key)


# Drafts that wait for their submit

MODEL = (("intake_response", "id"), ("intake_answer", "response_id"))


def make_drafts(name: str, count: int) -> list[uuid.UUID]:
    """So many more open episodes of the first program, each with the same draft of 36 answers. Returns their public ids."""
    use(name)
    model = _answered()
    with copying(name) as connection:
        offset = connection.execute("SELECT max(id) FROM clinic_episode").fetchone()[0]  # type: ignore[index]
        _copy_drafts(connection, model.pk, int(offset), count)
        ids = connection.execute("SELECT public_id FROM clinic_episode WHERE id > %s AND patient_id = id ORDER BY id", [offset]).fetchall()
    return [public_id for (public_id,) in ids]


def _answered() -> Episode:
    """One patient who has answered, through the application's own actions."""
    clerk, program = User.objects.get(username="clerk"), Program.objects.get(name="Program 1")
    episode = make_episode(clerk, program, last_name="Model")
    given = people()["V1"]
    for code in ASKED:
        with acting(clerk, "intake.edit"):
            instrument = Instrument.objects.get(code=code, active=True)
            actions.save_answers(
                by=clerk, episode=episode, instrument=instrument, answers=given.filled(code, timezone.localtime()), versions={}
            )
    return episode


def _copy_drafts(connection: psycopg.Connection, model: int, offset: int, count: int) -> None:
    spans = {"model": model, "offset": offset, "count": count}
    connection.execute(
        """INSERT INTO clinic_patient SELECT copy.* FROM clinic_patient one, generate_series(1, %(count)s) number,
             LATERAL jsonb_populate_record(one, jsonb_build_object('id', %(offset)s + number, 'public_id', gen_random_uuid(),
               'registration_key', gen_random_uuid(), 'record_number', 'D' || lpad(number::text, 7, '0'))) copy
           WHERE one.id = (SELECT patient_id FROM clinic_episode WHERE id = %(model)s)""", spans,
    )  # fmt: skip
    connection.execute(
        """INSERT INTO clinic_episode SELECT copy.* FROM clinic_episode one, generate_series(1, %(count)s) number,
             LATERAL jsonb_populate_record(one, jsonb_build_object('id', %(offset)s + number, 'public_id', gen_random_uuid(),
               'patient_id', %(offset)s + number)) copy
           WHERE one.id = %(model)s""", spans,
    )  # fmt: skip
    connection.execute(
        """INSERT INTO clinic_careteammember SELECT copy.* FROM clinic_careteammember one, generate_series(1, %(count)s) number,
             LATERAL jsonb_populate_record(one, jsonb_build_object('id', nextval(pg_get_serial_sequence('clinic_careteammember', 'id')),
               'patient_id', %(offset)s + number, 'episode_id', %(offset)s + number)) copy
           WHERE one.episode_id = %(model)s""", spans,
    )  # fmt: skip
    connection.execute(
        """WITH responses AS (
             SELECT copy, one.id AS was FROM intake_response one, generate_series(1, %(count)s) number,
               LATERAL jsonb_populate_record(one, jsonb_build_object('id', nextval(pg_get_serial_sequence('intake_response', 'id')),
                 'public_id', gen_random_uuid(), 'patient_id', %(offset)s + number, 'episode_id', %(offset)s + number)) copy
             WHERE one.episode_id = %(model)s),
           written AS (INSERT INTO intake_response SELECT (copy).* FROM responses)
           INSERT INTO intake_answer SELECT answer.* FROM responses, intake_answer one,
             LATERAL jsonb_populate_record(one, jsonb_build_object('id', nextval(pg_get_serial_sequence('intake_answer', 'id')),
               'patient_id', (copy).patient_id, 'response_id', (copy).id)) answer
           WHERE one.response_id = responses.was""", spans,
    )  # fmt: skip
    connection.execute(
        """INSERT INTO intake_flag SELECT copy.* FROM intake_flag one, generate_series(1, %(count)s) number,
             LATERAL jsonb_populate_record(one, jsonb_build_object('id', nextval(pg_get_serial_sequence('intake_flag', 'id')),
               'public_id', gen_random_uuid(), 'patient_id', %(offset)s + number, 'episode_id', %(offset)s + number)) copy
           WHERE one.episode_id = %(model)s""", spans,
    )  # fmt: skip
