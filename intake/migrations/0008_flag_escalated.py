from django.db import migrations, models

from clinic.postgres.operations import AddIndexWhileServing


class Migration(migrations.Migration):
    """What the supervisors' pages count: the critical flags that nobody has acknowledged."""

    atomic = False
    dependencies = [("intake", "0007_flag_life_held"), ("clinic", "0008_program_acknowledge_minutes")]

    operations = [
        AddIndexWhileServing(
            "flag", models.Index(fields=["program"], name="flag_critical_open", condition=models.Q(severity=4, status="open"))
        ),
    ]
