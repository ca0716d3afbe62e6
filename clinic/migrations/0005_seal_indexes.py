from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    """The order in which the record is sealed. Built beside whoever is writing, so it is a migration of its own."""

    atomic = False
    dependencies = [("clinic", "0004_seals")]

    operations = [
        AddIndexConcurrently("accessevent", models.Index(fields=["transaction", "id"], name="access_event_to_seal")),
        AddIndexConcurrently("change", models.Index(fields=["transaction", "id"], name="change_to_seal")),
    ]
