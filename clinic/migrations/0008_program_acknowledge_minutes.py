import django.core.validators
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("clinic", "0007_program_packet")]

    operations = [
        migrations.AddField(
            model_name="program",
            name="acknowledge_minutes",
            field=models.PositiveSmallIntegerField(
                db_default=30,
                default=30,
                help_text="Minutes in which a critical flag must be acknowledged; after that it is shown to the supervisors. 5 to 240.",
                validators=[django.core.validators.MinValueValidator(5), django.core.validators.MaxValueValidator(240)],
            ),
        ),
    ]
