from django.contrib.postgres.operations import ValidateConstraint
from django.db import migrations

NAMES = ("flag_acknowledged_by_one", "flag_decided_by_one", "flag_put_off_until_a_day_never_critical")


class Migration(migrations.Migration):
    dependencies = [("intake", "0006_flag_life")]

    operations = [ValidateConstraint("flag", name) for name in NAMES]
