from django.contrib.postgres.operations import AddIndexConcurrently, RemoveIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    """The order in which the changes of a trail are read, page by page."""

    atomic = False
    dependencies = [("clinic", "0005_seal_indexes")]

    operations = [
        AddIndexConcurrently("change", models.Index(fields=["patient_id", "-id"], name="change_of_patient_latest")),
        RemoveIndexConcurrently("change", "change_of_patient"),
    ]
