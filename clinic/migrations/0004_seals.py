from django.db import migrations, models


class Migration(migrations.Migration):
    """Seals, and the number of the transaction on each access; accesses from before have 0 and come first under the first seal."""

    dependencies = [("clinic", "0003_break_glass_and_restrictions")]

    operations = [
        migrations.CreateModel(
            name="Seal",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("number", models.BigIntegerField(unique=True)),
                ("at", models.DateTimeField()),
                ("clock", models.BigIntegerField(help_text="The first number of a transaction that was not given out yet.")),
                ("hash", models.CharField(help_text="The SHA-256 of the document.", max_length=64)),
                ("document", models.TextField(help_text="Canonical JSON, exactly the bytes that were signed.")),
                ("signature", models.CharField(help_text="Ed25519, in hex.", max_length=128)),
                ("listed", models.BinaryField(help_text="Of each row under it the id (8 bytes) and the hash (32), by table and in their order.")),
            ],
            options={"abstract": False},
        ),
        migrations.AddField("accessevent", "transaction", models.BigIntegerField(db_default=0, editable=False)),
    ]
