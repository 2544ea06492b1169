"""Flows, stages, bindings, prompts and brands through authentik's published Python SDK."""
import authentik_client as sdk
import pytest
from authentik_client.exceptions import BadRequestException, ForbiddenException, NotFoundException

INBUILT = [sdk.BackendsEnum("authentik.core.auth.InbuiltBackend")]
BRIEF = {"user_fields": [sdk.UserFieldsEnum.USERNAME]}
# kind: (class of its requests, fields of a good one, a change of them)
KINDS = {
    "identification": (sdk.IdentificationStageRequest, BRIEF, BRIEF | {"pretend_user_exists": False}),
    "password": (sdk.PasswordStageRequest, {"backends": INBUILT}, {"failed_attempts_before_cancel": 2}),
    "user_login": (sdk.UserLoginStageRequest, {}, {"session_duration": "hours=1"}),
    "user_logout": (sdk.UserLogoutStageRequest, {}, {}),
    "user_write": (sdk.UserWriteStageRequest, {"user_path_template": "users/made"}, {"create_users_as_inactive": True}),
    "deny": (sdk.DenyStageRequest, {"deny_message": "No."}, {"deny_message": "Never."}),
    "dummy": (sdk.DummyStageRequest, {"throw_error": False}, {}),
    "consent": (sdk.ConsentStageRequest, {"consent_expire_in": "weeks=1"}, {"mode": sdk.ConsentStageModeEnum.PERMANENT}),
    "email": (sdk.EmailStageRequest, {"use_global_settings": True, "password": "not to be seen"}, {"token_expiry": 5}),
}


@pytest.fixture
def flow(admin, unique):
    """A function that makes a flow; removed afterwards."""
    made = []

    def make(designation=sdk.FlowDesignationEnum.STAGE_CONFIGURATION, **fields):
        slug = unique("flow")
        made.append(slug)
        return admin.flows.flows_instances_create(sdk.FlowRequest(name=slug, slug=slug, title="A flow", designation=designation, **fields))

    yield make
    for slug in made:
        try:
            admin.flows.flows_instances_destroy(slug)
        except NotFoundException:
            pass


@pytest.fixture
def bind(admin):
    return lambda flow, stage, order, **fields: admin.flows.flows_bindings_create(
        sdk.FlowStageBindingRequest(target=flow.pk, stage=stage.pk, order=order, **fields))


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_stage(admin, unique, kind, refused):
    request, fields, change = KINDS[kind]
    call = lambda verb: getattr(admin.stages, f"stages_{kind}_{verb}")
    name = unique(kind)
    made = call("create")(request(name=name, **fields))
    assert (made.name, made.flow_set) == (name, [])
    told = made.to_dict()
    assert "password" not in told
    for field, value in fields.items():
        assert field == "password" or told[field] == value
    patched = getattr(sdk, f"Patched{request.__name__}")
    changed = call("partial_update")(made.pk, **{f"patched_{kind}_stage_request": patched(**change)}) if change else made
    assert {field: changed.to_dict()[field] for field in change} == change
    renamed = call("update")(made.pk, request(name=f"{name} 2", **fields))
    assert renamed.name == f"{name} 2"
    assert [stage.pk for stage in call("list")(name=f"{name} 2").results] == [made.pk]
    assert call("used_by_list")(made.pk) == []
    found = admin.stages.stages_all_retrieve(made.pk)
    assert (found.name, found.component) == (f"{name} 2", made.component)
    with refused(BadRequestException) as body:
        admin.stages.stages_deny_create(sdk.DenyStageRequest(name=f"{name} 2"))
    assert "name" in body
    call("destroy")(made.pk)
    with pytest.raises(NotFoundException):
        call("retrieve")(made.pk)


def test_a_flow_is_made_of_bound_stages(admin, flow, bind, unique, refused):
    made = flow(denied_action=sdk.DeniedActionEnum.MESSAGE, authentication=sdk.AuthenticationEnum.REQUIRE_AUTHENTICATED)
    assert (made.stages, made.policies, made.cache_count) == ([], [], 0)
    assert (made.layout, made.compatibility_mode, made.policy_engine_mode) == ("stacked", False, "any")
    one, other = (admin.stages.stages_deny_create(sdk.DenyStageRequest(name=unique("deny"))) for _ in range(2))
    first = bind(made, one, 10)
    second = bind(made, other, 20, evaluate_on_plan=True, invalid_response_action=sdk.InvalidResponseActionEnum.RESTART)
    assert (first.evaluate_on_plan, first.re_evaluate_policies, first.invalid_response_action) == (False, True, "retry")
    assert (second.evaluate_on_plan, second.stage_obj.name) == (True, other.name)
    assert set(admin.flows.flows_instances_retrieve(made.slug).stages) == {one.pk, other.pk}
    assert [flow.slug for flow in admin.stages.stages_deny_retrieve(one.pk).flow_set] == [made.slug]
    found = admin.flows.flows_bindings_list(target=made.pk, ordering="-order")
    assert [binding.pk for binding in found.results] == [second.pk, first.pk]
    with refused(BadRequestException) as body:
        bind(made, one, 10)
    assert body == {"non_field_errors": ["The fields target, stage, order must make a unique set."]}
    with refused(BadRequestException) as body:
        bind(made, one, 30, re_evaluate_policies=False)
    assert "Either evaluation on plan or evaluation on run must be enabled" in str(body)
    assert {used.model_name for used in admin.stages.stages_deny_used_by_list(one.pk)} == {"flow", "flowstagebinding"}
    moved = admin.flows.flows_bindings_partial_update(first.pk, patched_flow_stage_binding_request=sdk.PatchedFlowStageBindingRequest(order=30))
    assert moved.order == 30
    admin.stages.stages_all_destroy(other.pk)
    with pytest.raises(NotFoundException):
        admin.flows.flows_bindings_retrieve(second.pk)
    changed = admin.flows.flows_instances_partial_update(made.slug, patched_flow_request=sdk.PatchedFlowRequest(title="Another"))
    assert changed.title == "Another"
    admin.flows.flows_instances_set_background_url_create(made.slug, sdk.FilePathRequest(url="https://example.org/a.png"))
    assert admin.flows.flows_instances_retrieve(made.slug).background == "https://example.org/a.png"
    admin.flows.flows_instances_destroy(made.slug)
    with pytest.raises(NotFoundException):
        admin.flows.flows_bindings_retrieve(first.pk)


def test_flows_are_found(admin, flow, refused):
    made = flow(sdk.FlowDesignationEnum.ENROLLMENT)
    slugs = lambda **filters: [flow.slug for flow in admin.flows.flows_instances_list(**filters).results]
    assert slugs(slug=made.slug) == slugs(search=made.slug) == slugs(flow_uuid=made.pk) == [made.slug]
    assert made.slug in slugs(designation="enrollment") and made.slug not in slugs(designation="recovery")
    shipped = {"default-authentication-flow", "default-invalidation-flow", "default-password-change", "default-user-settings-flow"}
    assert shipped <= set(slugs(page_size=100))
    with refused(BadRequestException) as body:
        flow_again = sdk.FlowRequest(name="Twice", slug=made.slug, title="Twice", designation=sdk.FlowDesignationEnum.ENROLLMENT)
        admin.flows.flows_instances_create(flow_again)
    assert body == {"slug": ["Flow with this slug already exists."]}


def test_plans_are_counted_and_forgotten(admin):
    assert admin.flows.flows_instances_cache_info_retrieve().count >= 0
    admin.flows.flows_instances_cache_clear_create()
    assert admin.flows.flows_instances_cache_info_retrieve().count == 0


def test_what_there_is_to_choose_from(admin, as_user):
    kinds = {kind.component for kind in as_user.stages.stages_all_types_list()}
    assert {"ak-stage-identification-form", "ak-stage-password-form", "ak-stage-user-login-form", "ak-stage-prompt-form"} <= kinds
    assert [template.name for template in as_user.stages.stages_email_templates_list()] == ["email/password_reset.html", "email/account_confirmation.html"]
    for setting in as_user.stages.stages_all_user_settings_list():
        assert setting.configure_url.startswith("/flows/-/configure/")
    for ask in (as_user.flows.flows_instances_list, as_user.flows.flows_bindings_list, as_user.stages.stages_all_list):
        with pytest.raises(ForbiddenException):
            ask()


def test_prompts(admin, unique, refused):
    request = dict(field_key="colour", label="Colour", type=sdk.PromptTypeEnum.DROPDOWN, placeholder="return ['red', 'green']",
                   placeholder_expression=True, initial_value="green", order=1)
    seen = admin.stages.stages_prompt_prompts_preview_create(sdk.PromptRequest(name="unused", **request))
    assert (seen.component, len(seen.fields)) == ("ak-stage-prompt", 1)
    assert (seen.fields[0].choices, seen.fields[0].initial_value, seen.fields[0].placeholder) == (["red", "green"], "green", "")
    with refused(BadRequestException) as body:
        broken = request | {"placeholder": "return 1 / 0"}
        admin.stages.stages_prompt_prompts_preview_create(sdk.PromptRequest(name="unused", **broken))
    assert "ZeroDivisionError" in str(body["non_field_errors"]) or "division by zero" in str(body["non_field_errors"])
    name = unique("prompt")
    prompt = admin.stages.stages_prompt_prompts_create(sdk.PromptRequest(name=name, **request))
    assert (prompt.name, prompt.type, prompt.promptstage_set) == (name, "dropdown", [])
    stage = admin.stages.stages_prompt_stages_create(sdk.PromptStageRequest(name=unique("asks"), fields=[prompt.pk]))
    assert [one.name for one in admin.stages.stages_prompt_prompts_retrieve(prompt.pk).promptstage_set] == [stage.name]
    assert [found.pk for found in admin.stages.stages_prompt_prompts_list(field_key="colour", search=name).results] == [prompt.pk]
    changed = admin.stages.stages_prompt_prompts_partial_update(prompt.pk, patched_prompt_request=sdk.PatchedPromptRequest(sub_text="Any."))
    assert changed.sub_text == "Any."
    with refused(BadRequestException) as body:
        admin.stages.stages_prompt_prompts_create(sdk.PromptRequest(name=name, **request))
    assert body == {"name": ["Prompt with this name already exists."]}
    admin.stages.stages_prompt_stages_destroy(stage.pk)
    admin.stages.stages_prompt_prompts_destroy(prompt.pk)


def test_brands(admin, client, unique, refused):
    [shipped] = admin.core.core_brands_list(default=True).results
    assert shipped.domain == "authentik-default"
    assert shipped.flow_authentication == admin.flows.flows_instances_retrieve("default-authentication-flow").pk
    domain = f"{unique('brand')}.example.org"
    made = admin.core.core_brands_create(sdk.BrandRequest(domain=domain, branding_title="Ours"))
    assert (made.domain, made.default, made.branding_title) == (domain, False, "Ours")
    changed = admin.core.core_brands_partial_update(made.brand_uuid, patched_brand_request=sdk.PatchedBrandRequest(
        domain=domain, flow_invalidation=admin.flows.flows_instances_retrieve("default-invalidation-flow").pk))
    assert changed.flow_invalidation
    with refused(BadRequestException) as body:
        admin.core.core_brands_create(sdk.BrandRequest(domain=unique("second"), default=True))
    assert "Only a single brand can be set as default." in str(body)
    assert [brand.domain for brand in admin.core.core_brands_list(search=domain).results] == [domain]
    current = client(None).core.core_brands_current_retrieve()
    assert (current.matched_domain, current.flow_authentication) == ("authentik-default", "default-authentication-flow")
    admin.core.core_brands_destroy(made.brand_uuid)
    with pytest.raises(NotFoundException):
        admin.core.core_brands_retrieve(made.brand_uuid)
