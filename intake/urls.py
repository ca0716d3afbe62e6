"""The pages of the intake, under one episode."""

from django.urls import path

from intake.views import assessment, flags, level, overview, section

urlpatterns = [
    path("intake/", overview.intake, name="intake"),
    path("intake/review/", overview.review, name="review"),
    path("intake/<slug:code>/<int:number>/", section.section, name="section"),
    path("assessment/", assessment.assessment, name="assessment"),
    path("level/", level.level, name="level"),
    path("level/<uuid:decision_id>/cosign/", level.cosign_level, name="cosign_level"),
    path("flags/<uuid:flag_id>/acknowledge/", flags.acknowledge, name="acknowledge"),
    path("flags/<uuid:flag_id>/evaluation/", flags.record_evaluation, name="record_evaluation"),
]
