from django.db import migrations, models

from clinic.postgres.operations import AddIndexWhileServing


class Migration(migrations.Migration):
    """The order in which the record is sealed. Built beside whoever is writing, so it is a migration of its own."""

    atomic = False
    dependencies = [("clinic", "0004_seals")]

    operations = [
        AddIndexWhileServing("accessevent", models.Index(fields=["transaction", "id"], name="access_event_to_seal")),
        AddIndexWhileServing("change", models.Index(fields=["transaction", "id"], name="change_to_seal")),
    ]
