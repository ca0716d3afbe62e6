"""The pages of the intake: under one episode, and the one over all episodes."""

from django.urls import include, path

from intake.views import assessment, escalated, flag, flags, level, overview, results, section

of_an_episode = [
    path("intake/", overview.intake, name="intake"),
    path("intake/review/", overview.review, name="review"),
    path("intake/<slug:code>/<int:number>/", section.section, name="section"),
    path("assessment/", assessment.assessment, name="assessment"),
    path("level/", level.level, name="level"),
    path("level/<uuid:decision_id>/cosign/", level.cosign_level, name="cosign_level"),
    path("flags/<uuid:flag_id>/", flag.flag, name="flag"),
    path("flags/<uuid:flag_id>/override/", flag.override, name="override"),
    path("flags/<uuid:flag_id>/snooze/", flag.snooze, name="snooze"),
    path("flags/<uuid:flag_id>/error/", flag.enter_in_error, name="enter_in_error"),
    path("flags/<uuid:flag_id>/acknowledge/", flags.acknowledge, name="acknowledge"),
    path("flags/<uuid:flag_id>/evaluation/", flags.record_evaluation, name="record_evaluation"),
    path("results/", results.results, name="results"),
    path("results/new/<slug:group>/", results.record_results, name="record_results"),
    path("results/<uuid:result_id>/correct/", results.correct_result, name="correct_result"),
    path("results/<uuid:result_id>/withdraw/", results.withdraw_result, name="withdraw_result"),
]

urlpatterns = [
    path("episodes/<uuid:episode_id>/", include(of_an_episode)),
    path("flags/escalated/", escalated.escalated, name="escalated"),
]
