"""The walls inside the database: which privileges the web role has on each table, and the trigger that records changes.

Both follow from the models, so a new clinical table cannot be forgotten; `manage.py migrate` raises them each time, as the owner,
and with them the walls between rows (clinic/row_security.py).
"""

from collections.abc import Iterator

from django.apps import apps
from django.conf import settings
from django.db import models
from django.db.backends.utils import CursorWrapper

from clinic.row_security import raise_row_security
from clinic.seal import clock

WEB_ROLE = "steady_web"
OUR_APPS = ("clinic", "intake", "plans")

# On the connection too (clinic/settings.py): a temporary table must never stand before a real one of the same name.
SEARCH_PATH = "public, pg_temp"
# Columns that never enter the record: they would be another place to steal them from.
UNRECORDED = {"clinic_user": ("password",), "mfa_authenticator": ("data",)}

RECORD_CHANGE = f"""
CREATE OR REPLACE FUNCTION steady_record_change() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' AS $$
DECLARE
    was jsonb; is_now jsonb; some_row jsonb; before jsonb; after jsonb;
    hidden text[] := coalesce(TG_ARGV, '{{}}');
    acting bigint := nullif(current_setting('steady.user_id', true), '')::bigint;
    -- The role set for the session, or else the one that logged in; current_user is this function's owner.
    as_role text := CASE current_setting('role') WHEN 'none' THEN session_user ELSE current_setting('role') END;
    patient bigint;
BEGIN
    IF TG_OP <> 'INSERT' THEN was := to_jsonb(OLD) - hidden; END IF;
    IF TG_OP <> 'DELETE' THEN is_now := to_jsonb(NEW) - hidden; END IF;
    some_row := coalesce(is_now, was);
    before := was;
    after := is_now;
    IF TG_OP = 'UPDATE' THEN
        SELECT jsonb_object_agg(key, value) INTO before FROM jsonb_each(was) WHERE is_now -> key IS DISTINCT FROM value;
        SELECT jsonb_object_agg(key, value) INTO after FROM jsonb_each(is_now) WHERE was -> key IS DISTINCT FROM value;
        IF before IS NULL AND OLD IS NOT DISTINCT FROM NEW THEN RETURN NULL; END IF;
    END IF;
    patient := CASE WHEN TG_TABLE_NAME = 'clinic_patient' THEN (some_row ->> 'id')::bigint ELSE (some_row ->> 'patient_id')::bigint END;
    IF patient IS NOT NULL AND acting IS NULL AND as_role = '{WEB_ROLE}' THEN
        RAISE EXCEPTION 'a clinical row is changed in somebody''s name, and nobody is named' USING ERRCODE = 'insufficient_privilege';
    END IF;
    INSERT INTO public.clinic_change
        (at, user_id, action, reason, database_role, transaction, "table", "row", program_id, patient_id, operation, before, after)
    VALUES (
        clock_timestamp(),
        acting,
        coalesce(current_setting('steady.action', true), ''),
        coalesce(current_setting('steady.reason', true), ''),
        session_user,
        {clock.NUMBER},
        TG_TABLE_NAME,
        (some_row ->> 'id')::bigint,
        (some_row ->> 'program_id')::bigint,
        patient,
        TG_OP, before, after
    );
    RETURN NULL;
END $$;
REVOKE ALL ON FUNCTION steady_record_change() FROM PUBLIC;
"""

STAMP_ACCESS = f"""
CREATE OR REPLACE FUNCTION steady_stamp_access() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF NEW.user_id IS DISTINCT FROM nullif(current_setting('steady.user_id', true), '')::bigint THEN
        RAISE EXCEPTION 'an access is recorded in another name than the one that acts' USING ERRCODE = 'insufficient_privilege';
    END IF;
    NEW.at := clock_timestamp();
    NEW.transaction := {clock.NUMBER};
    RETURN NEW;
END $$;
REVOKE ALL ON FUNCTION steady_stamp_access() FROM PUBLIC;
CREATE OR REPLACE TRIGGER steady_stamp BEFORE INSERT ON clinic_accessevent FOR EACH ROW EXECUTE FUNCTION steady_stamp_access();
"""

# Only the database's owner may take this away from everybody; on a server where that is somebody else, `migrate` says so.
NO_TEMPORARY_TABLES = """
DO $$ BEGIN
    IF (SELECT pg_has_role(datdba, 'USAGE') FROM pg_database WHERE datname = current_database()) THEN
        EXECUTE format('REVOKE TEMPORARY ON DATABASE %I FROM PUBLIC', current_database());
    END IF;
END $$;
"""


def raise_walls(cursor: CursorWrapper) -> list[str]:
    """Create the triggers and set the web role's privileges; idempotent. Returns, as sentences, what could not be done here."""
    clock.keep_ahead(cursor)
    cursor.execute(RECORD_CHANGE)
    cursor.execute(STAMP_ACCESS)
    cursor.execute(NO_TEMPORARY_TABLES)
    for model in recorded_models():
        table = model._meta.db_table
        hidden = ", ".join(f"'{column}'" for column in UNRECORDED.get(table, ()))
        cursor.execute(
            f'CREATE OR REPLACE TRIGGER steady_change AFTER INSERT OR UPDATE OR DELETE ON "{table}" '
            f"FOR EACH ROW EXECUTE FUNCTION steady_record_change({hidden})"
        )
    cursor.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [WEB_ROLE])
    if cursor.fetchone() is None:
        return [f"There is no role {WEB_ROLE} here, so no privileges were set. See docs/deployment.md."]
    for model in apps.get_models(include_auto_created=True):
        if model._meta.managed and not model._meta.proxy:
            _grant(cursor, model._meta.db_table, privileges(model))
    _grant(cursor, "django_migrations", "SELECT")
    _grant(cursor, str(settings.CACHES["default"]["LOCATION"]), "SELECT, INSERT, UPDATE, DELETE")
    cursor.execute(f"GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO {WEB_ROLE}")
    raise_row_security(cursor, WEB_ROLE)
    return [] if not may_make_temporary_tables(cursor) else [TEMPORARY_TABLES]


TEMPORARY_TABLES = (
    f"{WEB_ROLE} may make temporary tables here, and one of them could catch the record of who read what. "
    "As the database's owner: REVOKE TEMPORARY ON DATABASE ... FROM PUBLIC. See docs/deployment.md."
)


def may_make_temporary_tables(cursor: CursorWrapper) -> bool:
    cursor.execute("SELECT has_database_privilege(%s, current_database(), 'TEMPORARY')", [WEB_ROLE])
    return bool(cursor.fetchone()[0])


def _grant(cursor: CursorWrapper, table: str, wanted: str) -> None:
    # As one: nobody meets the table between losing a privilege and having it again.
    cursor.execute(f'REVOKE ALL ON "{table}" FROM {WEB_ROLE}; GRANT {wanted} ON "{table}" TO {WEB_ROLE}')


def recorded_models() -> Iterator[type[models.Model]]:
    """Every table of ours whose changes the trigger records, all but the records themselves and their seals; and who can get in as whom."""
    from allauth.account.models import EmailAddress
    from allauth.mfa.models import Authenticator

    from clinic.models import AccessEvent, Change, Seal

    yield from (Authenticator, EmailAddress)
    for label in OUR_APPS:
        for model in apps.get_app_config(label).get_models(include_auto_created=True):
            if model not in (AccessEvent, Change, Seal) and not model._meta.proxy:
                yield model


def privileges(model: type[models.Model]) -> str:
    """What the web role may do with a table. Nothing clinical is ever deleted; what is immutable is never updated."""
    from clinic.models import Change, ClinicalModel, Patient, Seal
    from clinic.models.record import Immutable

    if issubclass(model, (Change, Seal)):
        return "SELECT"
    if columns := getattr(model, "MUTABLE_COLUMNS", ()):
        return f"SELECT, INSERT, UPDATE ({', '.join(columns)})"
    if issubclass(model, Immutable):
        return "SELECT, INSERT"
    if issubclass(model, (ClinicalModel, Patient)):
        return "SELECT, INSERT, UPDATE"
    return "SELECT, INSERT, UPDATE, DELETE"
