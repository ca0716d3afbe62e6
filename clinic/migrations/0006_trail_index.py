from django.db import migrations, models

from clinic.postgres.operations import AddIndexWhileServing, RemoveIndexWhileServing


class Migration(migrations.Migration):
    """The order in which the changes of a trail are read, page by page."""

    atomic = False
    dependencies = [("clinic", "0005_seal_indexes")]

    operations = [
        AddIndexWhileServing("change", models.Index(fields=["patient_id", "-id"], name="change_of_patient_latest")),
        RemoveIndexWhileServing("change", "change_of_patient"),
    ]
