import datetime
import django.contrib.postgres.constraints
import django.contrib.postgres.fields.ranges
import django.core.validators
import django.db.models.deletion
import django.db.models.expressions
import django.db.models.functions.text
import django.db.models.lookups
import django.utils.timezone
import uuid
from django.conf import settings
from django.contrib.postgres.operations import BtreeGistExtension
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('clinic', '0002_search_by_name'),
    ]

    operations = [
        BtreeGistExtension(),  # for the exclusion constraint; the README has it made beforehand, by the server's superuser
        migrations.CreateModel(
            name='BreakGlass',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('public_id', models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                ('category', models.CharField(choices=[('crisis', 'Danger to the person or to somebody else'), ('medical', 'Overdose, withdrawal or another medical emergency'), ('team away', 'Urgent, and nobody of the care team can be reached'), ('other', 'Another emergency')], max_length=20)),
                ('reason', models.CharField(max_length=230, validators=[django.core.validators.MinLengthValidator(20)])),
                ('at', models.DateTimeField(default=django.utils.timezone.now)),
                ('until', models.DateTimeField()),
                ('reviewed_at', models.DateTimeField(null=True)),
                ('outcome', models.CharField(blank=True, choices=[('appropriate', 'Appropriate'), ('not appropriate', 'Not appropriate')], max_length=20)),
                ('review_note', models.CharField(blank=True, max_length=500)),
                ('episode', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='clinic.episode')),
                ('patient', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='clinic.patient')),
                ('program', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='clinic.program')),
                ('reviewed_by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('user', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'verbose_name': 'emergency opening',
                'indexes': [models.Index(fields=['user', 'until'], name='break_glass_standing'), models.Index(condition=models.Q(('reviewed_at', None)), fields=['program', 'at'], name='break_glass_waiting')],
                'constraints': [models.CheckConstraint(condition=models.Q(('until', django.db.models.expressions.CombinedExpression(models.F('at'), '+', models.Value(datetime.timedelta(seconds=14400))))), name='break_glass_lasts_four_hours'), models.CheckConstraint(condition=models.Q(django.db.models.lookups.GreaterThanOrEqual(django.db.models.functions.text.Length(django.db.models.functions.text.Trim('reason')), 20)), name='break_glass_says_why'), models.CheckConstraint(condition=models.Q(models.Q(('outcome', ''), ('review_note', ''), ('reviewed_at', None), ('reviewed_by', None)), models.Q(('reviewed_at__isnull', False), ('reviewed_by__isnull', False), models.Q(('outcome', ''), _negated=True), models.Q(('review_note', ''), _negated=True)), _connector='OR'), name='break_glass_reviewed_whole'), models.CheckConstraint(condition=models.Q(('reviewed_by', None), models.Q(('reviewed_by', models.F('user')), _negated=True), _connector='OR'), name='break_glass_reviewed_by_another'), django.contrib.postgres.constraints.ExclusionConstraint(expressions=[('user', '='), ('patient', '='), (models.Func(models.F('at'), models.F('until'), function='tstzrange', output_field=django.contrib.postgres.fields.ranges.DateTimeRangeField()), '&&')], name='break_glass_once_at_a_time')],
            },
        ),
        migrations.CreateModel(
            name='ChartRestriction',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('kind', models.CharField(choices=[('team only', 'Only the care team opens this chart'), ('own chart', "It is this colleague's own chart"), ('family chart', "It is the chart of this colleague's family or household"), ('other', 'This colleague is to be kept out for another reason')], max_length=20)),
                ('reason', models.CharField(max_length=500)),
                ('at', models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                ('ended_at', models.DateTimeField(editable=False, null=True)),
                ('ended_reason', models.CharField(blank=True, editable=False, max_length=500)),
                ('by', models.ForeignKey(editable=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('ended_by', models.ForeignKey(editable=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('patient', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='clinic.patient')),
                ('program', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='clinic.program')),
                ('user', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'constraints': [models.CheckConstraint(condition=models.Q(models.Q(('kind', 'team only'), ('user', None)), models.Q(models.Q(('kind', 'team only'), _negated=True), ('user__isnull', False)), _connector='OR'), name='chart_restriction_of_one_or_of_all'), models.CheckConstraint(condition=models.Q(('reason', ''), _negated=True), name='chart_restriction_says_why'), models.CheckConstraint(condition=models.Q(models.Q(('ended_at', None), ('ended_by', None), ('ended_reason', '')), models.Q(('ended_at__isnull', False), ('ended_by__isnull', False), models.Q(('ended_reason', ''), _negated=True)), _connector='OR'), name='chart_restriction_ended_whole'), models.UniqueConstraint(condition=models.Q(('ended_at', None)), fields=('patient', 'user'), name='chart_restriction_once', nulls_distinct=False)],
            },
        ),
    ]
