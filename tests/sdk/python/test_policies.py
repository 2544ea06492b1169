"""Policies, what they are bound to, and who gets in."""
import json

import authentik_client as sdk
import pytest


def told(call, *arguments, status=200, **named):
    """The decoded answer of `call`, the `_without_preload_content` of an operation.

    The SDK itself cannot read applications without a provider, nor bindings: `provider_obj`, `policy_obj`, `group_obj`
    and `user_obj` are null there, in the original too, and its models want objects."""
    answer = call(*arguments, **named)
    assert answer.status == status, answer.data
    return json.loads(answer.data) if answer.data else None


@pytest.fixture
def policies(admin):
    return admin.policies


@pytest.fixture
def dummy(policies, unique):
    """Makes dummy policies that do not wait; they are removed afterwards."""
    made = []

    def make(result, **fields):
        made.append(policies.policies_dummy_create(
            sdk.DummyPolicyRequest(name=unique("dummy"), result=result, wait_min=0, wait_max=1, **fields)))
        return made[-1]

    yield make
    for policy in made:
        try:
            policies.policies_all_destroy(policy.pk)
        except sdk.exceptions.NotFoundException:
            pass


@pytest.fixture
def application(core, unique):
    made = told(core.core_applications_create_without_preload_content,
                sdk.ApplicationRequest(name="Wiki", slug=unique("wiki")), status=201)
    yield made
    core.core_applications_destroy_without_preload_content(made["slug"])


@pytest.fixture
def bind(policies, application):
    """Binds a policy, group or user to the application."""
    return lambda **what: told(policies.policies_bindings_create_without_preload_content, sdk.PolicyBindingRequest(
        target=application["pk"], **{"order": 0, **what}), status=201)


@pytest.fixture
def passes(core, application):
    return lambda client=core, **named: client.core_applications_check_access_retrieve(application["slug"], **named).passing


def asked(policies, policy, user, context=None):
    return policies.policies_all_test_create(policy.pk, sdk.PolicyTestRequest(user=user.pk, context=context))


def test_dummy(policies, dummy, user):
    for result in (True, False):
        policy = dummy(result)
        assert (policy.component, policy.bound_to) == ("ak-policy-dummy-form", 0)
        answer = asked(policies, policy, user)
        assert (answer.passing, answer.messages, answer.log_messages) == (result, ["dummy"], [])


def test_event_matcher(policies, unique, user):
    # Without a criterion it matches nothing.
    policy = policies.policies_event_matcher_create(sdk.EventMatcherPolicyRequest(
        name=unique("matcher"), action=sdk.EventActions.LOGIN, client_ip="192.0.2.1"))
    assert (policy.action, policy.client_ip, policy.app, policy.model) == (sdk.EventActions.LOGIN, "192.0.2.1", None, None)
    assert not asked(policies, policy, user).passing
    policies.policies_event_matcher_destroy(policy.pk)


def test_password_expiry(policies, unique, user, core):
    core.core_users_set_password_create(user.pk, sdk.UserPasswordSetRequest(password=unique("password")))
    policy = policies.policies_password_expiry_create(
        sdk.PasswordExpiryPolicyRequest(name=unique("expiry"), days=1, deny_only=True))
    assert asked(policies, policy, user).passing
    changed = policies.policies_password_expiry_partial_update(
        policy.pk, patched_password_expiry_policy_request=sdk.PatchedPasswordExpiryPolicyRequest(days=0))
    assert (changed.days, changed.deny_only) == (0, True)
    answer = asked(policies, policy, user)
    assert (answer.passing, answer.messages) == (False, ["Password has expired."])
    policies.policies_password_expiry_destroy(policy.pk)


def test_expression(policies, unique, user, refused):
    source = "ak_message(f'{request.user.username} {context.get(\"city\")}')\nreturn context.get('city') == 'Bern'"
    policy = policies.policies_expression_create(sdk.ExpressionPolicyRequest(name=unique("expression"), expression=source))
    assert policy.expression == source
    answer = asked(policies, policy, user, {"city": "Bern"})
    assert (answer.passing, answer.messages) == (True, [f"{user.username} Bern"])
    assert not asked(policies, policy, user).passing
    changed = policies.policies_expression_partial_update(policy.pk, patched_expression_policy_request=sdk.PatchedExpressionPolicyRequest(
        expression="ak_logger.info('seen', step=1)\nreturn nothing"))
    answer = asked(policies, changed, user)
    assert (answer.passing, answer.messages) == (False, ["name 'nothing' is not defined"])
    [line] = [line for line in answer.log_messages if line.event == "seen"]
    assert (line.log_level, line.attributes["step"]) == (sdk.LogLevelEnum.INFO, 1)
    with refused(sdk.exceptions.BadRequestException) as body:
        policies.policies_expression_create(sdk.ExpressionPolicyRequest(name=unique("expression"), expression="return (True"))
    assert body["expression"][0].startswith("Expression Syntax Error: '(' was never closed")
    policies.policies_expression_destroy(policy.pk)


def test_password(policies, unique, user):
    policy = policies.policies_password_create(sdk.PasswordPolicyRequest(
        name=unique("password"), length_min=8, amount_digits=2, error_message="Too plain."))
    assert (policy.check_static_rules, policy.check_zxcvbn, policy.password_field) == (True, False, "password")
    assert asked(policies, policy, user, {"password": "abcdef12"}).passing
    for bad in ("abcdefg1", "abcde12"):
        answer = asked(policies, policy, user, {"password": bad})
        assert (answer.passing, answer.messages) == (False, ["Too plain."])
    assert asked(policies, policy, user).messages == ["Password not set in context"]
    guessed = policies.policies_password_create(sdk.PasswordPolicyRequest(
        name=unique("password"), check_static_rules=False, check_zxcvbn=True))
    assert asked(policies, guessed, user, {"password": "password"}).messages[0] == "Password is too weak."
    assert asked(policies, guessed, user, {"password": "v9#Kq2!zLp0x wombat"}).passing
    for made in (policy, guessed):
        policies.policies_password_destroy(made.pk)


def test_reputation(policies, unique, user, refused):
    policy = policies.policies_reputation_create(sdk.ReputationPolicyRequest(
        name=unique("reputation"), check_ip=True, check_username=True, threshold=-1000))
    # It passes for those whose reputation is bad.
    assert not asked(policies, policy, user).passing
    policies.policies_reputation_partial_update(policy.pk, patched_reputation_policy_request=sdk.PatchedReputationPolicyRequest(
        check_ip=True, threshold=1000))
    assert asked(policies, policy, user).passing
    with refused(sdk.exceptions.BadRequestException) as body:
        policies.policies_reputation_create(sdk.ReputationPolicyRequest(name=unique("reputation"), check_ip=False))
    assert body == {"non_field_errors": ["Either IP or Username must be checked"]}
    policies.policies_reputation_destroy(policy.pk)


def test_scores(policies, unique, core):
    # The suite put it there; scores come from logins.
    page = policies.policies_reputation_scores_list(identifier_in=["nobody", "python-score"], ip="192.0.2.7", ordering="-score")
    [score] = page.results
    assert (score.identifier, score.ip, score.score, score.ip_geo_data) == ("python-score", "192.0.2.7", -3, None)
    assert policies.policies_reputation_scores_list(search="python-sc", score=-3).results == [score]
    assert policies.policies_reputation_scores_list(identifier="python-score", score=-4).results == []
    assert policies.policies_reputation_scores_retrieve(score.pk) == score
    assert policies.policies_reputation_scores_used_by_list(score.pk) == []
    bad = core.core_users_create(sdk.UserRequest(username="python-score", name="Of bad repute"))
    policy = policies.policies_reputation_create(sdk.ReputationPolicyRequest(
        name=unique("reputation"), check_ip=False, check_username=True, threshold=-3))
    assert asked(policies, policy, bad).passing
    policies.policies_reputation_scores_destroy(score.pk)
    with pytest.raises(sdk.exceptions.NotFoundException):
        policies.policies_reputation_scores_retrieve(score.pk)
    assert not asked(policies, policy, bad).passing
    policies.policies_reputation_destroy(policy.pk)
    core.core_users_destroy(bad.pk)


def test_policies_of_all_kinds(policies, dummy, unique):
    names = {kind.model_name: kind for kind in policies.policies_all_types_list()}
    assert {"dummypolicy", "eventmatcherpolicy", "expressionpolicy", "passwordexpirypolicy", "passwordpolicy",
            "reputationpolicy"} <= set(names)
    assert names["dummypolicy"].component == "ak-policy-dummy-form" and not names["dummypolicy"].requires_enterprise
    policy = dummy(True)
    other = policies.policies_password_expiry_create(sdk.PasswordExpiryPolicyRequest(name=f"{policy.name} expiry", days=3))
    page = policies.policies_all_list(search=policy.name, ordering="name", bindings__isnull=True, promptstage__isnull=True)
    assert [p.meta_model_name for p in page.results] == \
        ["authentik_policies_dummy.dummypolicy", "authentik_policies_expiry.passwordexpirypolicy"]
    # With the fields of its kind, which this SDK's model of all kinds leaves out.
    [shown, _] = told(policies.policies_all_list_without_preload_content, search=policy.name)["results"]
    assert (shown["wait_min"], shown["wait_max"], shown["result"]) == (0, 1, True)
    assert policies.policies_all_retrieve(other.pk).verbose_name == "Password Expiry Policy"
    assert policies.policies_all_used_by_list(other.pk) == []
    assert [p.pk for p in policies.policies_dummy_list(search=policy.name, result=True, wait_max=1).results] == [policy.pk]
    assert policies.policies_dummy_list(search=policy.name, result=False).results == []
    policies.policies_all_destroy(other.pk)
    with pytest.raises(sdk.exceptions.NotFoundException):
        policies.policies_password_expiry_retrieve(other.pk)


def test_put_and_names(policies, dummy, unique, refused):
    one, two = dummy(True), dummy(False)
    name = unique("renamed")
    changed = policies.policies_dummy_update(one.pk, sdk.DummyPolicyRequest(name=name, execution_logging=True))
    assert (changed.name, changed.execution_logging, changed.result, changed.wait_min) == (name, True, True, 0)
    taken = {"name": ["policy with this name already exists."]}
    with refused(sdk.exceptions.BadRequestException) as body:
        policies.policies_dummy_partial_update(two.pk, patched_dummy_policy_request=sdk.PatchedDummyPolicyRequest(name=name))
    assert set(body) == set(taken)
    with refused(sdk.exceptions.BadRequestException) as other_kind:
        policies.policies_password_expiry_create(sdk.PasswordExpiryPolicyRequest(name=name, days=1))
    assert other_kind == body


def test_tests_need_an_account(policies, dummy, refused, as_user, user):
    policy = dummy(True)
    with refused(sdk.exceptions.BadRequestException) as body:
        policies.policies_all_test_create(policy.pk, sdk.PolicyTestRequest(user=99999999))
    assert body == {"user": ['Invalid pk "99999999" - object does not exist.']}
    with pytest.raises(sdk.exceptions.NotFoundException):
        policies.policies_all_test_create("00000000-0000-0000-0000-000000000000", sdk.PolicyTestRequest(user=user.pk))
    with pytest.raises(sdk.exceptions.ForbiddenException):
        asked(as_user.policies, policy, user)


def test_an_application_from_beginning_to_end(core, unique, refused):
    slug = unique("app")
    make = core.core_applications_create_without_preload_content
    made = told(make, sdk.ApplicationRequest(
        name="Portal", slug=slug, group="Tools", meta_launch_url="https://portal.example/%(username)s", open_in_new_tab=True,
        meta_description="Where all begins", meta_publisher="Us", policy_engine_mode=sdk.PolicyEngineMode.ALL), status=201)
    assert made["launch_url"] == "https://portal.example/akadmin" and made["provider_obj"] is None
    assert told(make, sdk.ApplicationRequest(name="Other", slug=slug), status=400) == \
        {"slug": ["Application with this slug already exists."]}
    assert told(make, sdk.ApplicationRequest(name="Other", slug=unique("app"), provider=99), status=400) == \
        {"provider": ['Invalid pk "99" - object does not exist.']}
    core.core_applications_set_icon_url_create(slug, sdk.FilePathRequest(url="https://portal.example/icon.png"))
    changed = told(core.core_applications_partial_update_without_preload_content, slug,
                   patched_application_request=sdk.PatchedApplicationRequest(slug=f"{slug}-2", name="Gate"))
    assert changed == made | {"slug": f"{slug}-2", "name": "Gate", "meta_icon": "https://portal.example/icon.png"}
    with pytest.raises(sdk.exceptions.NotFoundException):
        core.core_applications_retrieve(slug)
    slug = changed["slug"]
    assert told(core.core_applications_retrieve_without_preload_content, slug) == changed
    assert len(core.core_applications_metrics_list(slug)) == 22
    assert core.core_applications_used_by_list(slug) == []
    core.core_applications_destroy(slug)
    with pytest.raises(sdk.exceptions.NotFoundException):
        core.core_applications_check_access_retrieve(slug)


def test_policy_group_and_user_open_an_application(core, policies, application, bind, passes, dummy, user, as_user, unique):
    assert passes() and passes(for_user=user.pk) and passes(as_user.core)
    group = core.core_groups_create(sdk.GroupRequest(name=unique("group")))
    closed = bind(policy=dummy(False).pk)
    assert not passes(for_user=user.pk) and not passes(as_user.core)
    by_group = bind(group=group.pk, order=1)
    assert by_group["group_obj"]["name"] == group.name and by_group["policy_obj"] is None
    assert not passes(for_user=user.pk)
    core.core_groups_add_user_create(group.pk, sdk.UserAccountRequest(pk=user.pk))
    assert passes(for_user=user.pk) and passes(as_user.core)
    core.core_groups_remove_user_create(group.pk, sdk.UserAccountRequest(pk=user.pk))
    by_user = bind(user=user.pk, order=2)
    assert by_user["user_obj"]["username"] == user.username
    assert passes(as_user.core) and not passes()
    # Turned round, everybody but that user.
    policies.policies_bindings_partial_update_without_preload_content(
        by_user["pk"], patched_policy_binding_request=sdk.PatchedPolicyBindingRequest(user=user.pk, negate=True))
    assert not passes(as_user.core) and passes()
    # Messages of all bindings, for superusers.
    answer = core.core_applications_check_access_retrieve(application["slug"], for_user=user.pk)
    assert (answer.passing, answer.messages) == (False, ["dummy"])
    answer = as_user.core.core_applications_check_access_retrieve(application["slug"])
    assert (answer.passing, answer.messages, answer.log_messages) == (False, [], [])
    assert {(used.app, used.model_name) for used in core.core_groups_used_by_list(group.pk)} <= {("authentik_policies", "policybinding")}
    assert closed["policy_obj"]["meta_model_name"] == "authentik_policies_dummy.dummypolicy"
    # What is bound goes, and the bindings with it.
    core.core_groups_destroy(group.pk)
    with pytest.raises(sdk.exceptions.NotFoundException):
        policies.policies_bindings_retrieve(by_group["pk"])


def test_all_instead_of_any(core, application, bind, passes, dummy):
    bind(policy=dummy(True).pk)
    bind(policy=dummy(False).pk, order=1)
    assert passes()
    core.core_applications_partial_update_without_preload_content(
        application["slug"], patched_application_request=sdk.PatchedApplicationRequest(policy_engine_mode=sdk.PolicyEngineMode.ALL))
    assert not passes()


def test_a_policy_that_gives_up(policies, bind, passes, unique):
    raising = policies.policies_expression_create(sdk.ExpressionPolicyRequest(name=unique("raising"), expression="raise ValueError('no')"))
    binding = bind(policy=raising.pk, negate=True)
    assert not passes(), "the result of the binding is not turned round"
    policies.policies_bindings_partial_update_without_preload_content(
        binding["pk"], patched_policy_binding_request=sdk.PatchedPolicyBindingRequest(policy=raising.pk, failure_result=True))
    assert passes()
    policies.policies_expression_destroy(raising.pk)


def test_bindings_are_found_and_refused(policies, application, bind, dummy, refused, user):
    policy = dummy(True)
    binding = bind(policy=policy.pk, order=3, enabled=False, timeout=7)
    found = lambda **named: [b["pk"] for b in told(policies.policies_bindings_list_without_preload_content, **named)["results"]]
    assert found(target=application["pk"], policy=policy.pk, enabled=False, order=3, timeout=7, policy__isnull=False) == [binding["pk"]]
    assert found(target_in=[application["pk"]]) == found(search=policy.name) == [binding["pk"]]
    assert found(target=application["pk"], enabled=True) == []
    assert told(policies.policies_bindings_retrieve_without_preload_content, binding["pk"]) == binding
    assert policies.policies_bindings_used_by_list(binding["pk"]) == []
    assert policies.policies_all_retrieve(policy.pk).bound_to == 1
    assert policy.pk not in [p.pk for p in policies.policies_all_list(bindings__isnull=True, search=policy.name).results]
    for what, error in (
        ({}, {"non_field_errors": ["One of 'policy', 'group' or 'user' must be set."]}),
        ({"policy": policy.pk, "user": user.pk}, {"non_field_errors": ["Only one of 'policy', 'group' or 'user' can be set."]}),
        ({"policy": policy.pk, "order": 3}, {"non_field_errors": ["The fields policy, target, order must make a unique set."]}),
        ({"user": 99999999}, {"user": ['Invalid pk "99999999" - object does not exist.']}),
    ):
        with refused(sdk.exceptions.BadRequestException) as body:
            policies.policies_bindings_create(sdk.PolicyBindingRequest(target=application["pk"], **{"order": 0, **what}))
        assert body == error
    # A change names what is bound.
    with refused(sdk.exceptions.BadRequestException) as body:
        policies.policies_bindings_partial_update(
            binding["pk"], patched_policy_binding_request=sdk.PatchedPolicyBindingRequest(enabled=True))
    assert body == {"non_field_errors": ["One of 'policy', 'group' or 'user' must be set."]}
    policies.policies_bindings_destroy(binding["pk"])
    assert found(target=application["pk"]) == []


def test_everybody_lists_what_is_open_to_them(core, application, bind, dummy, user, as_user):
    def seen(client, **named):
        page = told(client.core_applications_list_without_preload_content, slug=application["slug"], **named)
        return [a["slug"] for a in page["results"]]

    slug = application["slug"]
    assert seen(core) == seen(as_user.core) == [slug]
    bind(user=user.pk)
    assert seen(core) == [] and seen(as_user.core) == [slug]
    assert seen(core, superuser_full_list=True) == seen(core, for_user=user.pk) == [slug]
    bind(policy=dummy(True).pk, order=1)
    assert seen(core) == [slug]
    assert seen(core, only_with_launch_url=True) == []
    # A plain user looks over nobody's shoulder.
    told(as_user.core.core_applications_list_without_preload_content, for_user=1, status=400)


def test_results_are_remembered(policies, core, application, bind, dummy, as_user):
    bind(policy=dummy(True).pk)
    policies.policies_all_cache_clear_create()
    assert policies.policies_all_cache_info_retrieve().count == 0
    core.core_applications_list_without_preload_content(slug=application["slug"])
    assert policies.policies_all_cache_info_retrieve().count >= 1
    policies.policies_all_cache_clear_create()
    assert policies.policies_all_cache_info_retrieve().count == 0
    with pytest.raises(sdk.exceptions.ForbiddenException):
        as_user.policies.policies_all_cache_info_retrieve()
    with pytest.raises(sdk.exceptions.ForbiddenException):
        as_user.policies.policies_all_cache_clear_create()


def test_executions_are_logged_where_a_policy_says_so(admin, bind, passes, dummy):
    policy = dummy(True, execution_logging=True)
    bind(policy=policy.pk)
    assert passes()
    named = policy.pk.replace("-", "")
    found = [event for event in admin.events.events_events_list(action="policy_execution", ordering="-created").results
             if event.context.get("policy_uuid") == named]
    [event] = found
    assert event.context["result"]["passing"] is True and event.context["result"]["messages"] == ["dummy"]
