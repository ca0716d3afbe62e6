from django.contrib.postgres.indexes import OpClass
from django.db import migrations, models
from django.db.models import F
from django.db.models.functions import Lower

from clinic.models.patients import DoubleMetaphone

NAMES = ("legal_last_name", "legal_first_name", "preferred_name")


class Migration(migrations.Migration):
    """Names are found by their beginning, by their sound and with one slip of the fingers, each by an index of its own."""

    dependencies = [("clinic", "0001_initial")]

    operations = [
        migrations.RemoveIndex("patient", "patient_name"),
        *[migrations.AddIndex("patient", models.Index(OpClass(Lower(name), "text_pattern_ops"), name=f"{name[:15]}_begins")) for name in NAMES],
        *[migrations.AddIndex("patient", models.Index(DoubleMetaphone(F(name)), name=f"{name[:15]}_sound")) for name in NAMES],
    ]
