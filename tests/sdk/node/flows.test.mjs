// Flows, logins and sessions through authentik's published TypeScript SDK, unmodified; `tests/sdk/run.py` starts the server.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import sdk from "@goauthentik/api";

const base = `${process.env.SDK_TEST_BASE}/api/v3`;
const mark = `node-flows-${process.pid}`;
const password = "Right-Horse-7";
const backends = [sdk.BackendsEnum.CoreAuthInbuiltBackend];

const configuration = new sdk.Configuration({ basePath: base, accessToken: process.env.SDK_TEST_TOKEN });
const core = new sdk.CoreApi(configuration);
const flows = new sdk.FlowsApi(configuration);
const stages = new sdk.StagesApi(configuration);
const policies = new sdk.PoliciesApi(configuration);

/** Runs what must fail; gives back the decoded body. */
async function refused(status, call) {
  const error = await call().then(() => assert.fail("the call succeeded"), (error) => error);
  assert.ok(error instanceof sdk.ResponseError, String(error));
  assert.equal(error.response.status, status);
  return error.response.json();
}

/** The SDK without a key, in a browser without a screen: `fetch` with a cookie jar. */
function visitor() {
  const jar = new Map();
  const fetchApi = async (url, init) => {
    for (let hops = 0; hops < 10; hops++) {
      const headers = new Headers(init.headers);
      headers.set("Cookie", [...jar].map((pair) => pair.join("=")).join("; "));
      if (jar.has("authentik_csrf")) headers.set("X-authentik-CSRF", jar.get("authentik_csrf"));
      const response = await fetch(url, { ...init, headers, redirect: "manual" });
      for (const cookie of response.headers.getSetCookie()) {
        const [pair, ...rest] = cookie.split(";");
        const at = pair.indexOf("=");
        if (rest.some((word) => word.trim() === "Max-Age=0")) jar.delete(pair.slice(0, at));
        else jar.set(pair.slice(0, at), pair.slice(at + 1));
      }
      if (response.status !== 302) return response;
      [url, init] = [new URL(response.headers.get("Location"), url), { method: "GET", headers: {} }];
    }
    throw new Error("redirects without end");
  };
  const own = new sdk.Configuration({ basePath: base, fetchApi });
  const run = new sdk.FlowsApi(own);
  const get = (flowSlug, query = "") => run.flowsExecutorGet({ flowSlug, query });
  const solve = (flowSlug, flowChallengeResponseRequest, query = "") =>
    run.flowsExecutorSolve({ flowSlug, query, flowChallengeResponseRequest });
  const login = async (uidField, password, slug = "default-authentication-flow") => {
    assert.equal((await get(slug)).component, "ak-stage-identification");
    const challenge = await solve(slug, { component: "ak-stage-identification", uidField });
    assert.equal(challenge.component, "ak-stage-password");
    return solve(slug, { component: "ak-stage-password", password });
  };
  return { core: new sdk.CoreApi(own), flows: run, get, solve, login };
}

let user;

before(async () => {
  user = await core.coreUsersCreate({ userRequest: { username: `${mark}-user`, name: "Ann" } });
  await core.coreUsersSetPasswordCreate({ id: user.pk, userPasswordSetRequest: { password } });
});

after(() => core.coreUsersDestroy({ id: user.pk }));

test("a flow is made of bound stages", async () => {
  const slug = `${mark}-login`.slice(0, 50);
  const made = await flows.flowsInstancesCreate({
    flowRequest: { name: slug, slug, title: "Come in", designation: sdk.FlowDesignationEnum.Authentication },
  });
  assert.deepEqual([made.stages, made.deniedAction, made.authentication], [[], "message_continue", "none"]);
  const kinds = [
    await stages.stagesIdentificationCreate({ identificationStageRequest: { name: `${mark}-who`, userFields: [sdk.UserFieldsEnum.Username] } }),
    await stages.stagesPasswordCreate({ passwordStageRequest: { name: `${mark}-proof`, backends, failedAttemptsBeforeCancel: 2 } }),
    await stages.stagesUserLoginCreate({ userLoginStageRequest: { name: `${mark}-in` } }),
  ];
  assert.deepEqual(kinds.map((stage) => stage.component),
    ["ak-stage-identification-form", "ak-stage-password-form", "ak-stage-user-login-form"]);
  const bindings = [];
  for (const [order, { pk: stage }] of kinds.entries()) {
    bindings.push(await flows.flowsBindingsCreate({ flowStageBindingRequest: { target: made.pk, stage, order } }));
  }
  assert.deepEqual(bindings.map((binding) => binding.stageObj.name), kinds.map((stage) => stage.name));
  assert.equal((await flows.flowsInstancesRetrieve({ slug })).stages.length, 3);

  const led = await visitor().login(user.username, password, slug);
  assert.deepEqual([led.component, led.to], ["xak-flow-redirect", "/"]);
  const stranger = visitor();
  const wrong = await stranger.login(user.username, "wrong", slug);
  assert.deepEqual(wrong.responseErrors, { password: [{ string: "Invalid password", code: "invalid" }] });
  assert.equal((await stranger.solve(slug, { component: "ak-stage-password", password: "again" })).component, "ak-stage-access-denied");

  const target = bindings[1].policybindingmodelPtrId;
  const policy = await policies.policiesPasswordExpiryCreate({ passwordExpiryPolicyRequest: { name: `${mark}-age`, days: 0, denyOnly: true } });
  await policies.policiesBindingsCreate({ policyBindingRequest: { policy: policy.pk, target, order: 0 } });
  const denied = await visitor().login(user.username, password, slug);
  assert.deepEqual([denied.component, denied.errorMessage], ["ak-stage-access-denied", "Password has expired."]);
  await policies.policiesPasswordExpiryPartialUpdate({ policyUuid: policy.pk, patchedPasswordExpiryPolicyRequest: { denyOnly: false } });
  const browser = visitor();
  const asked = await browser.login(user.username, password, slug);
  assert.equal(asked.component, "ak-stage-prompt");
  const next = "New-Horse-9";
  const done = await browser.solve(slug, { component: "ak-stage-prompt", password: next, password_repeat: next });
  assert.equal(done.component, "xak-flow-redirect");
  assert.equal((await browser.core.coreUsersMeRetrieve()).user.username, user.username);
  await core.coreUsersSetPasswordCreate({ id: user.pk, userPasswordSetRequest: { password } });

  await flows.flowsInstancesDestroy({ slug });
  await refused(404, () => flows.flowsBindingsRetrieve({ fsbUuid: bindings[0].pk }));
  for (const { pk } of kinds) await stages.stagesAllDestroy({ stageUuid: pk });
  await policies.policiesAllDestroy({ policyUuid: policy.pk });
});

test("the shipped flow signs in; sessions are listed and ended", async () => {
  const [one, other] = [visitor(), visitor()];
  for (const browser of [one, other]) {
    assert.equal((await browser.login(user.username, password)).component, "xak-flow-redirect");
    assert.equal((await browser.core.coreUsersMeRetrieve()).user.username, user.username);
  }
  const { results } = await one.core.coreAuthenticatedSessionsList();
  assert.deepEqual(results.map((session) => session.current).sort(), [false, true]);
  const { uuid } = results.find((session) => !session.current);
  await one.core.coreAuthenticatedSessionsDestroy({ uuid });
  await refused(403, () => other.core.coreUsersMeRetrieve());
  assert.equal((await one.get("default-invalidation-flow")).component, "xak-flow-redirect");
  await refused(403, () => one.core.coreUsersMeRetrieve());
});

test("a recovery link leads to a new password, once", async () => {
  const { link } = await core.coreUsersRecoveryCreate({ id: user.pk });
  const { pathname, searchParams } = new URL(link);
  const [slug, query] = [pathname.split("/").at(-2), `flow_token=${searchParams.get("flow_token")}`];
  const browser = visitor();
  const asked = await browser.get(slug, query);
  assert.equal(asked.component, "ak-stage-prompt");
  assert.deepEqual(asked.fields.filter((field) => field.type === "password").map((field) => field.fieldKey), ["password", "password_repeat"]);
  const next = "Recovered-Horse-8";
  const done = await browser.solve(slug, { component: "ak-stage-prompt", password: next, password_repeat: next }, query);
  assert.equal(done.component, "xak-flow-redirect");
  assert.equal((await visitor().login(user.username, next)).component, "xak-flow-redirect");
  assert.equal((await visitor().get(slug, query)).component, "ak-stage-access-denied");
  await core.coreUsersSetPasswordCreate({ id: user.pk, userPasswordSetRequest: { password } });
});

test("prompts are previewed and asked", async () => {
  const fields = { fieldKey: "colour", label: "Colour", type: sdk.PromptTypeEnum.RadioButtonGroup, placeholder: "return ['red', 'green']" };
  const promptRequest = { name: `${mark}-colour`, ...fields, placeholderExpression: true, initialValue: "green" };
  const seen = await stages.stagesPromptPromptsPreviewCreate({ promptRequest });
  assert.deepEqual(seen.fields.map(({ choices, initialValue }) => [choices, initialValue]), [[["red", "green"], "green"]]);
  const prompt = await stages.stagesPromptPromptsCreate({ promptRequest });
  const stage = await stages.stagesPromptStagesCreate({ promptStageRequest: { name: `${mark}-asks`, fields: [prompt.pk] } });
  assert.deepEqual(stage.fields, [prompt.pk]);
  assert.ok("name" in await refused(400, () => stages.stagesPromptPromptsCreate({ promptRequest })));
  await stages.stagesPromptStagesDestroy({ stageUuid: stage.pk });
  await stages.stagesPromptPromptsDestroy({ promptUuid: prompt.pk });
});

test("brands", async () => {
  const [shipped] = (await core.coreBrandsList({ _default: true })).results;
  assert.equal(shipped.domain, "authentik-default");
  const made = await core.coreBrandsCreate({ brandRequest: { domain: `${mark}.example.org`, flowAuthentication: shipped.flowAuthentication } });
  assert.equal(made._default, false);
  const brandUuid = made.brandUuid;
  const changed = await core.coreBrandsPartialUpdate({ brandUuid, patchedBrandRequest: { domain: made.domain, brandingTitle: "Ours" } });
  assert.equal(changed.brandingTitle, "Ours");
  const current = await visitor().core.coreBrandsCurrentRetrieve();
  assert.deepEqual([current.matchedDomain, current.flowInvalidation], ["authentik-default", "default-invalidation-flow"]);
  await core.coreBrandsDestroy({ brandUuid });
  await refused(404, () => core.coreBrandsRetrieve({ brandUuid }));
});
