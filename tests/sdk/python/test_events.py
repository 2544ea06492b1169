"""Events, their counts, and the settings."""
import authentik_client as sdk
import pytest


def test_a_change_is_an_event(admin, unique):
    name = unique("group")
    group = admin.core.core_groups_create(sdk.GroupRequest(name=name))
    page = admin.events.events_events_list(context_model_pk=group.pk, action="model_created")
    [event] = page.results
    assert event.action == sdk.EventActions.MODEL_CREATED
    assert event.context["model"]["name"] == name and event.user["username"] == "akadmin"
    assert admin.events.events_events_retrieve(event.pk) == event
    admin.core.core_groups_destroy(group.pk)


def test_an_event_from_beginning_to_end(admin, unique):
    events = admin.events
    made = events.events_events_create(sdk.EventRequest(
        action=sdk.EventActions.LOGIN, app=unique("app"),
        context={"authorized_application": {"name": "Wiki", "pk": "w"}}, user={"pk": 7}))
    changed = events.events_events_partial_update(
        made.pk, patched_event_request=sdk.PatchedEventRequest(client_ip="192.0.2.1"))
    assert changed.client_ip == "192.0.2.1"
    assert [e.pk for e in events.events_events_list(search=made.app).results] == [made.pk]
    # The change is an event too.
    [change] = events.events_events_list(context_model_pk=made.pk).results
    assert change.action == sdk.EventActions.MODEL_UPDATED
    top = events.events_events_top_per_user_list(action="login", top_n=3)
    assert [(t.application["name"], t.counted_events, t.unique_users) for t in top] == [("Wiki", 1, 1)]
    events.events_events_destroy(made.pk)
    with pytest.raises(sdk.exceptions.NotFoundException):
        events.events_events_retrieve(made.pk)


def test_counts(admin, user):
    volume = admin.events.events_events_volume_list()
    assert len(volume) == 22 and volume[0].y_cord == 0 and sum(point.y_cord for point in volume) > 0
    assert len(admin.events.events_events_per_month_list(action="model_created")) == 31
    assert len(admin.events.events_events_actions_list()) == 27
    assert len(admin.core.core_users_metrics_retrieve(user.pk).logins) == 22


def test_settings(admin):
    before = admin.admin.admin_settings_retrieve()
    change = sdk.PatchedSettingsRequest(event_retention="days=30", avatars="initials")
    changed = admin.admin.admin_settings_partial_update(patched_settings_request=change)
    assert (changed.event_retention, changed.default_token_length) == ("days=30", before.default_token_length)
    with pytest.raises(sdk.exceptions.BadRequestException) as refused:
        admin.admin.admin_settings_partial_update(
            patched_settings_request=sdk.PatchedSettingsRequest(event_retention="soon"))
    assert "soon is not in the correct format of 'hours=3;minutes=1'." in refused.value.body
    back = sdk.PatchedSettingsRequest(event_retention=before.event_retention, avatars=before.avatars)
    assert admin.admin.admin_settings_partial_update(patched_settings_request=back) == before


def test_system(admin):
    system = admin.admin.admin_system_retrieve()
    assert "HTTP_AUTHORIZATION" not in system.http_headers and system.runtime.authentik_version == "2024.8.2"
