"""The second wall: row-level security. Whatever the Python asks for, the database shows a person the rows their roles reach, and no other.

Derived from the models and the access table, and raised with the other walls at each migrate (clinic/walls.py). It knows who acts, not
which page: the reach of a table is the widest that any action on its kind gives. `visible_to` narrows it to the action, and by its
indexed filters makes it fast. See ADR 16.
"""

from collections.abc import Iterator

from django.apps import apps
from django.db import connection, models
from django.db.backends.utils import CursorWrapper

from clinic.access_table import CLINICIANS, EMERGENCY, ROLES
from clinic.permissions import cell

# Kinds of tables and the actions that show their rows.
RECORD = (
    "intake.edit", "intake.submit", "intake.view", "scores.view", "flag.acknowledge", "flag.override", "flag.escalated",
    "observation.enter",
    "plan.view", "plan.edit", "plan.sign", "plan.finalise", "medication.view", "medication.edit", "session_note.write",
    "safety_plan.view", "safety_plan.edit", "detox.view", "detox.edit", "review.decide", "review.cosign", "disclosure.export",
    "chart.view",
)  # fmt: skip
OVERSIGHT = ("audit.view", "break_glass.review", "consent.create", "consent.revoke", "consent.view")
REGISTER = ("patient.search", "patient.register", "patient.edit", "care_team.assign", "self_report.link")
KINDS: dict[str, tuple[str, ...]] = {
    "register": RECORD + OVERSIGHT + REGISTER,  # who is a patient here, and who looks after them
    "record": RECORD,  # what was asked, found, decided
    "oversight": RECORD + OVERSIGHT,  # what left the record, and on which basis
    "trail": ("audit.view",),  # who did what
}
# Every clinical table that is not named here is of the kind "record".
KIND_OF = {
    "clinic.Patient": "register",
    "clinic.Episode": "register",
    "clinic.CareTeamMember": "register",
    "clinic.ChartRestriction": "register",
    "clinic.BreakGlass": "register",  # written by who is not on the team yet
    "clinic.Disclosure": "oversight",
}
WIDEST_FIRST = "APT-"

ACTING = "nullif(current_setting('steady.user_id', true), '')::bigint"
# The owner's functions see every row: they give back ids in reach of whoever acts, and nothing else.
DEFINER = "LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp"

# The scopes of whoever acts, by program; their programs (P, A); their patients (T, and E for a chart opened in an emergency); and
# whose charts are closed to them, which comes before all of it (clinic.permissions.scope).
REACH = """
CREATE OR REPLACE FUNCTION steady_scopes(of_kind text) RETURNS TABLE (program_id bigint, scope text) {definer} AS $$
BEGIN
    RETURN QUERY SELECT held.program_id, access.scope
    FROM public.clinic_membership held
    JOIN public.clinic_user ON clinic_user.id = held.user_id AND is_active
    JOIN (VALUES {reach}) AS access (kind, role, scope) ON access.kind = of_kind AND access.role = held.role
    WHERE held.user_id = {acting};
END $$;

CREATE OR REPLACE FUNCTION steady_programs(of_kind text) RETURNS bigint[] {definer} AS $$
DECLARE everywhere boolean; here bigint[];
BEGIN
    SELECT coalesce(bool_or(scope = 'A'), false), coalesce(array_agg(program_id) FILTER (WHERE scope = 'P'), '{{}}')
    INTO everywhere, here
    FROM public.steady_scopes(of_kind);
    IF everywhere THEN SELECT coalesce(array_agg(id), '{{}}') INTO here FROM public.clinic_program; END IF;
    RETURN here;
END $$;

CREATE OR REPLACE FUNCTION steady_patients(of_kind text) RETURNS bigint[] {definer} AS $$
BEGIN
    RETURN coalesce((
        SELECT array_agg(DISTINCT patient_id)
        FROM (
            SELECT program_id, patient_id, 'T' AS scope FROM public.clinic_careteammember WHERE user_id = {acting} AND ended_at IS NULL
            UNION ALL
            SELECT program_id, patient_id, 'E' FROM public.clinic_breakglass WHERE user_id = {acting} AND until > now()
        ) AS come_to JOIN public.steady_scopes(of_kind) USING (program_id, scope)
    ), '{{}}');
END $$;

CREATE OR REPLACE FUNCTION steady_denied(of_kind text) RETURNS bigint[] {definer} AS $$
BEGIN
    RETURN coalesce((
        SELECT array_agg(patient_id)
        FROM public.clinic_chartrestriction closed
        WHERE ended_at IS NULL AND (user_id = {acting} OR user_id IS NULL
            AND NOT EXISTS (SELECT FROM public.steady_scopes(of_kind) WHERE scope = 'A')
            AND NOT EXISTS (
                SELECT FROM public.clinic_careteammember team
                WHERE team.user_id = {acting} AND team.patient_id = closed.patient_id AND team.ended_at IS NULL
            ))
    ), '{{}}');
END $$;
"""

# Comparing by sound or beginning could tell a stranger's name, so the database does it only behind the policy, row by row. Here it
# is done by index, and only the ids of who is in reach come out. A new plan each time: the index is chosen by the very word.
NAMES = """
CREATE OR REPLACE FUNCTION steady_patients_named(beginning text, sounding text, spelled text[]) RETURNS SETOF bigint
{definer} ROWS 50 SET plan_cache_mode = force_custom_plan AS $$
DECLARE
    sound text := nullif(public.dmetaphone(sounding), '');
    programs bigint[] := public.steady_programs('register');
    patients bigint[] := public.steady_patients('register');
    denied bigint[] := public.steady_denied('register');
BEGIN
    RETURN QUERY SELECT id FROM public.clinic_patient
    WHERE (program_id = ANY (programs) OR id = ANY (patients)) AND id <> ALL (denied) AND ({alike});
END $$;
"""

# The trail of a patient by its own index, which row security would not let the query use; and whose record a refused page was.
# id + 0: a walk back through everybody's rows by the primary key would take longer the longer a patient is away.
NEWEST = """SELECT id FROM public.clinic_accessevent WHERE patients @> ARRAY[patient] AND outcome = of_outcome
    AND (by_user IS NULL OR user_id = by_user) AND (since IS NULL OR at >= since) AND (until IS NULL OR at < until)
    AND (before IS NULL OR id < before) ORDER BY id + 0 DESC LIMIT most"""
TRAIL = """
DROP FUNCTION IF EXISTS steady_accesses_of(bigint);
CREATE OR REPLACE FUNCTION steady_accesses_of(
    patient bigint, of_outcome text, by_user bigint, since timestamptz, until timestamptz, before bigint, most int
) RETURNS SETOF bigint
{definer} ROWS 200 SET plan_cache_mode = force_custom_plan AS $$
BEGIN
    IF patient <> ALL (public.steady_denied('trail'))
        AND EXISTS (SELECT FROM public.clinic_patient WHERE id = patient AND program_id = ANY (public.steady_programs('trail')))
    THEN
        RETURN QUERY {newest};
    END IF;
END $$;

CREATE OR REPLACE FUNCTION steady_patient_of(episode uuid) RETURNS bigint {definer} AS $$
BEGIN RETURN (SELECT patient_id FROM public.clinic_episode WHERE public_id = episode); END $$;
"""
FUNCTIONS = (
    "steady_scopes(text)", "steady_programs(text)", "steady_patients(text)", "steady_denied(text)",
    "steady_patients_named(text, text, text[])",
    "steady_accesses_of(bigint, text, bigint, timestamptz, timestamptz, bigint, integer)", "steady_patient_of(uuid)",
)  # fmt: skip

ABOUT_ONE_IN_REACH = (
    f"user_id = {ACTING} OR EXISTS (SELECT FROM clinic_patient"
    " WHERE clinic_patient.id = ANY (patients) AND program_id = ANY ((SELECT steady_programs('trail'))::bigint[]))"
)


def raise_row_security(cursor: CursorWrapper, web: str) -> None:
    """Make the functions and the policies of every clinical table; idempotent, as the owner. `web` is the role they hold for."""
    for template in (REACH, NAMES, TRAIL):
        cursor.execute(template.format(definer=DEFINER, acting=ACTING, reach=_reach_as_sql(), alike=alike(), newest=NEWEST))
    for function in FUNCTIONS:
        cursor.execute(f"REVOKE ALL ON FUNCTION {function} FROM PUBLIC; GRANT EXECUTE ON FUNCTION {function} TO {web}")
    for table, policies in walled_tables():
        cursor.execute(f'ALTER TABLE "{table}" ENABLE ROW LEVEL SECURITY;' + "".join(_policy(table, web, *policy) for policy in policies))


def alike() -> str:
    """When a patient's names answer to `beginning`, `sound` or `spelled`: every way of every name has its index."""
    from clinic.models.patients import NAMES as NAME_COLUMNS

    ways = ("lower({}) ^@ beginning", "public.dmetaphone({}) = sound", "lower({}) = ANY (spelled)")
    return " OR ".join(way.format(name) for name in NAME_COLUMNS for way in ways)


def _policy(table: str, web: str, verb: str, condition: str) -> str:
    name = f"steady_{verb.split()[0].lower()}"
    return f'DROP POLICY IF EXISTS {name} ON "{table}"; CREATE POLICY {name} ON "{table}" FOR {verb} TO {web} {condition};'


def hidden_here(model: type[models.Model]) -> bool:
    """Whether rows of this table are hidden from whoever is connected: a check that finds nothing wrong has then seen nothing."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT row_security_active(%s)", [model._meta.db_table])
        return bool(cursor.fetchone()[0])


def walled_tables() -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """(table, its policies as (verb, condition)) of every table with rows about patients."""
    from clinic.models import AccessEvent, Change

    for model in clinical_models():
        patient = "id" if model._meta.label == "clinic.Patient" else "patient_id"
        # One condition for reading and writing: nothing is written where it could not be read.
        yield model._meta.db_table, [("ALL", f"USING ({_in_reach(KIND_OF.get(model._meta.label, 'record'), patient)})")]
    yield Change._meta.db_table, [("SELECT", f"USING ({_in_reach('trail', 'patient_id')})")]
    # In whose name an access is recorded, the trigger of clinic/walls.py holds.
    yield AccessEvent._meta.db_table, [("SELECT", f"USING ({ABOUT_ONE_IN_REACH})"), ("INSERT", "WITH CHECK (true)")]


def clinical_models() -> Iterator[type[models.Model]]:
    from clinic.models import ClinicalModel, Patient

    for model in apps.get_models():
        if issubclass(model, (ClinicalModel, Patient)) and not model._meta.proxy:
            yield model


def _in_reach(kind: str, patient: str) -> str:
    """The condition on a row. Each function is called once for a statement, not for each row."""
    programs, patients, denied = (f"ANY ((SELECT steady_{what}('{kind}'))::bigint[])" for what in ("programs", "patients", "denied"))
    return f"(program_id = {programs} OR {patient} = {patients}) AND ({patient} = {denied}) IS NOT TRUE"


def reach(kind: str, role: str) -> str:
    """The widest scope that any action on this kind of table gives the role: A, P, T or -."""
    scopes = {cell(action, role).scope for action in KINDS[kind]}
    if unknown := scopes - set(WIDEST_FIRST):
        raise ValueError(f"{role}: the scopes {unknown} of an action in {kind!r} are about no patient's row.")
    return min(scopes, key=WIDEST_FIRST.index)


def _reach_as_sql() -> str:
    reaches = [(kind, role, reach(kind, role)) for kind in KINDS for role in ROLES]
    reaches += [(kind, role, "E") for kind, role, scope in reaches if scope == "T" and role in CLINICIANS and EMERGENCY & {*KINDS[kind]}]
    return ", ".join(f"('{kind}', '{role}', '{scope}')" for kind, role, scope in reaches if scope != "-")
