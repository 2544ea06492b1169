"""Signing in without a browser, sessions, recovery and impersonation through authentik's published Python SDK."""
from urllib.parse import parse_qs, urlsplit

import authentik_client as sdk
import pytest
from authentik_client.exceptions import BadRequestException, ForbiddenException, NotFoundException

INBUILT = [sdk.BackendsEnum("authentik.core.auth.InbuiltBackend")]
PASSWORD = "Right-Horse-7"


@pytest.fixture
def person(core, user):
    core.core_users_set_password_create(user.pk, sdk.UserPasswordSetRequest(password=PASSWORD))
    return user


@pytest.fixture
def login_flow(admin, unique):
    """A flow of its own: identification, password, login; as (slug, bindings)."""
    slug = unique("login")
    flow = admin.flows.flows_instances_create(sdk.FlowRequest(
        name=slug, slug=slug, title="Come in", designation=sdk.FlowDesignationEnum.AUTHENTICATION))
    stages = [
        admin.stages.stages_identification_create(sdk.IdentificationStageRequest(name=unique("who"), user_fields=[sdk.UserFieldsEnum.USERNAME])),
        admin.stages.stages_password_create(sdk.PasswordStageRequest(name=unique("proof"), backends=INBUILT, failed_attempts_before_cancel=2)),
        admin.stages.stages_user_login_create(sdk.UserLoginStageRequest(name=unique("in"), session_duration="hours=1")),
    ]
    yield slug, [admin.flows.flows_bindings_create(sdk.FlowStageBindingRequest(target=flow.pk, stage=stage.pk, order=order))
                 for order, stage in enumerate(stages)]
    admin.flows.flows_instances_destroy(slug)
    for stage in stages:
        admin.stages.stages_all_destroy(stage.pk)


def test_the_shipped_flow_signs_in_and_out(person, visitor):
    browser = visitor()
    with pytest.raises(ForbiddenException):
        browser.core.core_users_me_retrieve()
    challenge = browser.get("default-authentication-flow")
    asked = sdk.IdentificationChallenge.from_dict(challenge)
    assert (asked.component, asked.user_fields, asked.primary_action) == ("ak-stage-identification", ["email", "username"], "Log in")
    assert browser.login(person.username, PASSWORD) == {"component": "xak-flow-redirect", "to": "/"}
    assert browser.core.core_users_me_retrieve().user.username == person.username
    assert browser.get("default-invalidation-flow")["component"] == "xak-flow-redirect"
    with pytest.raises(ForbiddenException):
        browser.core.core_users_me_retrieve()


def test_a_flow_of_ones_own(login_flow, person, visitor):
    slug, _ = login_flow
    browser = visitor()
    wrong = browser.login(person.username, "wrong", slug)
    assert wrong["response_errors"] == {"password": [{"string": "Invalid password", "code": "invalid"}]}
    assert browser.solve(slug, sdk.PasswordChallengeResponseRequest(password="again"))["component"] == "ak-stage-access-denied"
    assert browser.login("nobody-of-this-name", "x", slug)["response_errors"]["password"][0]["string"] == "Invalid password"
    assert visitor().login(person.username, PASSWORD, slug)["component"] == "xak-flow-redirect"


def test_sessions_are_listed_and_ended(admin, person, visitor):
    one, other = visitor(), visitor()
    for browser in (one, other):
        browser.login(person.username, PASSWORD)
    mine = one.core.core_authenticated_sessions_list()
    assert sorted(session.current for session in mine.results) == [False, True]
    assert {session.user for session in mine.results} == {person.pk}
    [theirs] = [session for session in mine.results if not session.current]
    assert theirs.last_ip == "127.0.0.1" and theirs.last_user_agent
    assert one.core.core_authenticated_sessions_retrieve(theirs.uuid).user_agent.string == theirs.last_user_agent
    assert one.core.core_authenticated_sessions_used_by_list(theirs.uuid) == []
    one.core.core_authenticated_sessions_destroy(theirs.uuid)
    with pytest.raises(ForbiddenException):
        other.core.core_users_me_retrieve()
    seen = admin.core.core_authenticated_sessions_list(user__username=person.username).results
    assert [session.current for session in seen] == [False]
    admin.core.core_authenticated_sessions_destroy(seen[0].uuid)
    with pytest.raises(ForbiddenException):
        one.core.core_users_me_retrieve()


def test_other_peoples_sessions_are_out_of_sight(admin, as_user, visitor, core, unique):
    stranger = core.core_users_create(sdk.UserRequest(username=unique("stranger"), name="Stranger"))
    core.core_users_set_password_create(stranger.pk, sdk.UserPasswordSetRequest(password=PASSWORD))
    visitor().login(stranger.username, PASSWORD)
    [session] = admin.core.core_authenticated_sessions_list(user__username=stranger.username).results
    assert as_user.core.core_authenticated_sessions_list().results == []
    for ask in (as_user.core.core_authenticated_sessions_retrieve, as_user.core.core_authenticated_sessions_destroy):
        with pytest.raises(NotFoundException):
            ask(session.uuid)
    core.core_users_destroy(stranger.pk)


def test_a_session_needs_the_csrf_header(person, visitor, refused):
    browser = visitor()
    browser.login(person.username, PASSWORD)
    change = sdk.UserPasswordSetRequest(password="Other-Horse-8")
    browser.raw.set_default_header("X-authentik-CSRF", "")
    with refused(ForbiddenException) as body:
        browser.core.core_users_set_password_create(person.pk, change)
    assert body["detail"].startswith("CSRF Failed: ")


def test_a_new_password_ends_the_other_sessions(core, person, visitor):
    browser = visitor()
    browser.login(person.username, PASSWORD)
    core.core_users_set_password_create(person.pk, sdk.UserPasswordSetRequest(password="Other-Horse-8"))
    with pytest.raises(ForbiddenException):
        browser.core.core_users_me_retrieve()


def bind(admin, policy, binding):
    """Binds a policy to the binding of a stage. The SDK cannot read the answer: it does not know that two are null."""
    response = admin.policies.policies_bindings_create_without_preload_content(
        sdk.PolicyBindingRequest(policy=policy.pk, target=binding.policybindingmodel_ptr_id, order=0))
    assert response.status == 201, response.data


def prompted(**data):
    return sdk.PromptChallengeResponseRequest(additional_properties=data)


@pytest.mark.parametrize("where", range(3), ids=["identification", "password", "login"])
def test_an_expired_password_leads_to_a_new_one(admin, login_flow, person, visitor, unique, where):
    slug, bindings = login_flow
    policy = admin.policies.policies_password_expiry_create(sdk.PasswordExpiryPolicyRequest(name=unique("age"), days=0))
    bind(admin, policy, bindings[where])
    browser = visitor()
    challenge = browser.login(person.username, PASSWORD, slug)
    assert challenge["component"] == "ak-stage-prompt", challenge
    keys = [field["field_key"] for field in challenge["fields"]]
    assert {"password", "password_repeat"} <= set(keys)
    same = browser.solve(slug, prompted(password=PASSWORD, password_repeat=PASSWORD))
    assert same["component"] == "ak-stage-prompt" and same["response_errors"]
    with pytest.raises(ForbiddenException):
        browser.core.core_users_me_retrieve()
    done = browser.solve(slug, prompted(password="New-Horse-9", password_repeat="New-Horse-9"))
    assert done == {"component": "xak-flow-redirect", "to": "/"}
    assert browser.core.core_users_me_retrieve().user.username == person.username
    assert visitor().login(person.username, "New-Horse-9")["component"] == "xak-flow-redirect"
    admin.policies.policies_all_destroy(policy.pk)


def test_deny_only_says_why(admin, login_flow, person, visitor, unique):
    slug, bindings = login_flow
    policy = admin.policies.policies_password_expiry_create(sdk.PasswordExpiryPolicyRequest(name=unique("age"), days=0, deny_only=True))
    bind(admin, policy, bindings[2])
    denied = sdk.AccessDeniedChallenge.from_dict(visitor().login(person.username, PASSWORD, slug))
    assert (denied.component, denied.error_message) == ("ak-stage-access-denied", "Password has expired.")
    assert visitor().login(person.username, PASSWORD)["component"] == "xak-flow-redirect"
    admin.policies.policies_all_destroy(policy.pk)


def test_a_recovery_link(core, person, visitor):
    link = urlsplit(core.core_users_recovery_create(person.pk).link)
    slug, key = link.path.strip("/").split("/")[-1], parse_qs(link.query)["flow_token"][0]
    query = f"flow_token={key}"
    browser = visitor()
    assert browser.get(slug, query)["component"] == "ak-stage-prompt"
    done = browser.solve(slug, prompted(password="New-Horse-9", password_repeat="New-Horse-9"), query)
    assert done["component"] == "xak-flow-redirect", done
    assert visitor().login(person.username, "New-Horse-9")["component"] == "xak-flow-redirect"
    again = visitor()
    assert again.get(slug, query)["component"] == "ak-stage-access-denied"


def test_a_recovery_mail_needs_a_mail_server(admin, core, person, unique, refused):
    stage = admin.stages.stages_email_create(sdk.EmailStageRequest(name=unique("mail"), use_global_settings=True))
    core.core_users_partial_update(person.pk, patched_user_request=sdk.PatchedUserRequest(email="ada@example.org"))
    with refused(BadRequestException) as body:
        core.core_users_recovery_email_create(stage.pk, person.pk)
    assert "TESSERA_SMTP_HOST" in str(body)
    admin.stages.stages_all_destroy(stage.pk)


def test_impersonation(core, person, visitor, unique):
    boss = core.core_users_create(sdk.UserRequest(username=unique("boss"), name="Boss"))
    group = core.core_groups_create(sdk.GroupRequest(name=unique("bosses"), is_superuser=True, users=[boss.pk]))
    core.core_users_set_password_create(boss.pk, sdk.UserPasswordSetRequest(password=PASSWORD))
    browser = visitor()
    browser.login(boss.username, PASSWORD)
    browser.core.core_users_impersonate_create(person.pk)
    me = browser.core.core_users_me_retrieve()
    assert (me.user.username, me.original.username) == (person.username, boss.username)
    browser.core.core_users_impersonate_end_retrieve()
    assert browser.core.core_users_me_retrieve().user.username == boss.username
    core.core_users_destroy(boss.pk)
    core.core_groups_destroy(group.pk)


def test_a_superuser_looks_into_his_plan(core, visitor, unique):
    boss = core.core_users_create(sdk.UserRequest(username=unique("boss"), name="Boss"))
    group = core.core_groups_create(sdk.GroupRequest(name=unique("bosses"), is_superuser=True, users=[boss.pk]))
    core.core_users_set_password_create(boss.pk, sdk.UserPasswordSetRequest(password=PASSWORD))
    browser = visitor()
    browser.login(boss.username, PASSWORD)
    assert browser.get("default-password-change")["component"] == "ak-stage-prompt"
    seen = browser.flows.flows_inspector_get("default-password-change")
    assert seen.is_completed is False
    assert seen.current_plan.current_stage.stage_obj.name == "default-password-change-prompt"
    core.core_users_destroy(boss.pk)
    core.core_groups_destroy(group.pk)
