"""The pages of the plan and of the handouts, under one episode."""

from django.urls import path

from plans.views import chart, handouts, parts, plan, sign

urlpatterns = [
    path("chart/", chart.chart, name="chart"),
    path("handouts/", handouts.handouts, name="handouts"),
    path("handouts/<slug:slug>/", handouts.handout, name="handout"),
    path("handouts/<slug:slug>/give/", handouts.give_handout, name="give_handout"),
    path("plan/", plan.plan, name="plan"),
    path("plan/start/", plan.plan_start, name="plan_start"),
    path("plan/refresh/", plan.refresh, name="refresh"),
    path("plan/components/add/", plan.add_component, name="add_component"),
    path("plan/components/<uuid:component_id>/", plan.decide, name="decide"),
    path("plan/findings/", plan.add_finding, name="add_finding"),
    path("plan/details/", plan.details, name="details"),
    path("plan/reason/<str:finding>/", plan.give_reason, name="give_reason"),
    path("plan/sign/", sign.sign, name="sign"),
    path("plan/parts/<slug:kind>/add/", parts.add_part, name="add_part"),
    path("plan/parts/<slug:kind>/add/<uuid:parent_id>/", parts.add_part, name="add_part"),
    path("plan/parts/<slug:kind>/<uuid:part_id>/", parts.edit_part, name="edit_part"),
    path("plan/versions/", sign.versions, name="versions"),
    path("plan/versions/<int:number>/", sign.signed_plan, name="signed_plan"),
    path("plan/versions/<int:number>/certify/", sign.certify, name="certify"),
    path("plan/versions/<int:number>/<slug:copy>.pdf", sign.plan_pdf, name="plan_pdf"),
]
