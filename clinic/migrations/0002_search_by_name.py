from django.contrib.postgres.indexes import OpClass
from django.db import migrations, models
from django.db.models import F
from django.db.models.functions import Lower

from clinic.models.patients import DoubleMetaphone
from clinic.postgres.operations import AddIndexWhileServing, RemoveIndexWhileServing

NAMES = ("legal_last_name", "legal_first_name", "preferred_name")


class Migration(migrations.Migration):
    """Names are found by their beginning, by their sound and with one slip of the fingers, each by an index of its own."""

    # Built while people go on writing; each operation stands alone, and a second attempt makes anew what the first one left.
    atomic = False
    dependencies = [("clinic", "0001_initial")]

    operations = [
        RemoveIndexWhileServing("patient", "patient_name"),
        *[AddIndexWhileServing("patient", models.Index(OpClass(Lower(name), "text_pattern_ops"), name=f"{name[:15]}_begins")) for name in NAMES],
        *[AddIndexWhileServing("patient", models.Index(DoubleMetaphone(F(name)), name=f"{name[:15]}_sound")) for name in NAMES],
    ]
