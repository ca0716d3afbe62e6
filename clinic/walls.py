"""The walls inside the database: which privileges the web role has on each table, and the trigger that records changes.

Both follow from the models, so a new clinical table cannot be forgotten; `manage.py migrate` raises them each time, as the owner.
"""

from collections.abc import Iterator

from django.apps import apps
from django.conf import settings
from django.db import models
from django.db.backends.utils import CursorWrapper

WEB_ROLE = "steady_web"
OUR_APPS = ("clinic", "intake", "plans")

RECORD_CHANGE = """
CREATE OR REPLACE FUNCTION steady_record_change() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    was jsonb; is_now jsonb; some_row jsonb; before jsonb; after jsonb;
BEGIN
    IF TG_OP <> 'INSERT' THEN was := to_jsonb(OLD) - 'password'; END IF;
    IF TG_OP <> 'DELETE' THEN is_now := to_jsonb(NEW) - 'password'; END IF;
    some_row := coalesce(is_now, was);
    before := was;
    after := is_now;
    IF TG_OP = 'UPDATE' THEN
        SELECT jsonb_object_agg(key, value) INTO before FROM jsonb_each(was) WHERE is_now -> key IS DISTINCT FROM value;
        SELECT jsonb_object_agg(key, value) INTO after FROM jsonb_each(is_now) WHERE was -> key IS DISTINCT FROM value;
        IF before IS NULL AND OLD IS NOT DISTINCT FROM NEW THEN RETURN NULL; END IF;
    END IF;
    INSERT INTO public.clinic_change
        (at, user_id, action, reason, database_role, transaction, "table", "row", program_id, patient_id, operation, before, after)
    VALUES (
        clock_timestamp(),
        nullif(current_setting('steady.user_id', true), '')::bigint,
        coalesce(current_setting('steady.action', true), ''),
        coalesce(current_setting('steady.reason', true), ''),
        session_user,
        pg_current_xact_id()::text::bigint,
        TG_TABLE_NAME,
        (some_row ->> 'id')::bigint,
        (some_row ->> 'program_id')::bigint,
        CASE WHEN TG_TABLE_NAME = 'clinic_patient' THEN (some_row ->> 'id')::bigint ELSE (some_row ->> 'patient_id')::bigint END,
        TG_OP, before, after
    );
    RETURN NULL;
END $$;
REVOKE ALL ON FUNCTION steady_record_change() FROM PUBLIC;
"""


def raise_walls(cursor: CursorWrapper) -> bool:
    """Create the change triggers and set the web role's privileges; idempotent. False when there is no web role here."""
    cursor.execute(RECORD_CHANGE)
    for model in recorded_models():
        table = model._meta.db_table
        cursor.execute(
            f'CREATE OR REPLACE TRIGGER steady_change AFTER INSERT OR UPDATE OR DELETE ON "{table}" '
            "FOR EACH ROW EXECUTE FUNCTION steady_record_change()"
        )
    cursor.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [WEB_ROLE])
    if cursor.fetchone() is None:
        return False
    for model in apps.get_models(include_auto_created=True):
        if model._meta.managed and not model._meta.proxy:
            _grant(cursor, model._meta.db_table, privileges(model))
    _grant(cursor, "django_migrations", "SELECT")
    _grant(cursor, settings.CACHES["default"]["LOCATION"], "SELECT, INSERT, UPDATE, DELETE")
    cursor.execute(f"GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO {WEB_ROLE}")
    return True


def _grant(cursor: CursorWrapper, table: str, wanted: str) -> None:
    cursor.execute(f'REVOKE ALL ON "{table}" FROM {WEB_ROLE}')
    cursor.execute(f'GRANT {wanted} ON "{table}" TO {WEB_ROLE}')


def recorded_models() -> Iterator[type[models.Model]]:
    """Every table of ours whose changes the trigger records: all but the two records themselves."""
    from clinic.models import AccessEvent, Change

    for label in OUR_APPS:
        for model in apps.get_app_config(label).get_models(include_auto_created=True):
            if model not in (AccessEvent, Change) and not model._meta.proxy:
                yield model


def privileges(model: type[models.Model]) -> str:
    """What the web role may do with a table. Nothing clinical is ever deleted; what is immutable is never updated."""
    from clinic.models import Change, ClinicalModel, Patient
    from clinic.models.record import Immutable

    if issubclass(model, Change):
        return "SELECT"
    if issubclass(model, Immutable):
        return "SELECT, INSERT"
    if columns := getattr(model, "MUTABLE_COLUMNS", ()):
        return f"SELECT, INSERT, UPDATE ({', '.join(columns)})"
    if issubclass(model, (ClinicalModel, Patient)):
        return "SELECT, INSERT, UPDATE"
    return "SELECT, INSERT, UPDATE, DELETE"
