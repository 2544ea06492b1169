// Policies and bindings through authentik's published TypeScript SDK, unmodified; `tests/sdk/run.py` starts the server.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import sdk from "@goauthentik/api";

const base = `${process.env.SDK_TEST_BASE}/api/v3`;
const mark = `node-policies-${process.pid}`;

const configuration = (accessToken) => new sdk.Configuration({ basePath: base, accessToken });
const core = new sdk.CoreApi(configuration(process.env.SDK_TEST_TOKEN));
const policies = new sdk.PoliciesApi(configuration(process.env.SDK_TEST_TOKEN));

/** Runs what must fail; gives back the decoded body. */
async function refused(status, call) {
  const error = await call().then(() => assert.fail("the call succeeded"), (error) => error);
  assert.ok(error instanceof sdk.ResponseError, String(error));
  assert.equal(error.response.status, status);
  return error.response.json();
}

const asked = (policy, context, account = user) =>
  policies.policiesAllTestCreate({ policyUuid: policy.pk, policyTestRequest: { user: account.pk, context } });
const dummy = (name, result) =>
  policies.policiesDummyCreate({ dummyPolicyRequest: { name: `${mark}-${name}`, result, waitMin: 0, waitMax: 1 } });

let user, plain;

before(async () => {
  user = await core.coreUsersCreate({ userRequest: { username: `${mark}-user`, name: "Ann" } });
  const identifier = `${mark}-key`;
  await core.coreTokensCreate({ tokenRequest: { identifier, user: user.pk } });
  const { key } = await core.coreTokensViewKeyRetrieve({ identifier });
  plain = { core: new sdk.CoreApi(configuration(key)), policies: new sdk.PoliciesApi(configuration(key)) };
});

after(() => core.coreUsersDestroy({ id: user.pk }));

test("a dummy policy is created, tested, changed and removed", async () => {
  const made = await dummy("dummy", true);
  assert.equal(made.component, "ak-policy-dummy-form");
  assert.deepEqual([made.result, made.waitMin, made.waitMax, made.boundTo], [true, 0, 1, 0]);
  const answer = await asked(made);
  assert.deepEqual([answer.passing, answer.messages, answer.logMessages], [true, ["dummy"], []]);
  const policyUuid = made.pk;
  const changed = await policies.policiesDummyPartialUpdate({ policyUuid, patchedDummyPolicyRequest: { result: false } });
  assert.deepEqual([changed.result, changed.waitMax], [false, 1]);
  assert.equal((await asked(made)).passing, false);
  await policies.policiesDummyDestroy({ policyUuid });
  await refused(404, () => policies.policiesAllRetrieve({ policyUuid }));
});

test("an expression says what it wants", async () => {
  const expression = 'ak_message(f"{request.user.username} from {context[\'city\']}")\nreturn context["city"] == "Bern"';
  const made = await policies.policiesExpressionCreate({ expressionPolicyRequest: { name: `${mark}-expression`, expression } });
  assert.equal(made.expression, expression);
  const bern = await asked(made, { city: "Bern" });
  assert.deepEqual([bern.passing, bern.messages], [true, [`${user.username} from Bern`]]);
  assert.equal((await asked(made, { city: "Basel" })).passing, false);
  const without = await asked(made);
  assert.deepEqual([without.passing, without.messages], [false, ["'city'"]]);
  const body = await refused(400, () =>
    policies.policiesExpressionUpdate({ policyUuid: made.pk, expressionPolicyRequest: { name: made.name, expression: "return = 1" } }));
  assert.match(body.expression[0], /^Expression Syntax Error: /);
  await policies.policiesExpressionDestroy({ policyUuid: made.pk });
});

test("a password policy judges a password", async () => {
  const made = await policies.policiesPasswordCreate({
    passwordPolicyRequest: { name: `${mark}-password`, lengthMin: 8, amountDigits: 1, errorMessage: "Too plain." },
  });
  assert.equal((await asked(made, { password: "correct1horse" })).passing, true);
  assert.deepEqual((await asked(made, { password: "correct" })).messages, ["Too plain."]);
  await policies.policiesPasswordDestroy({ policyUuid: made.pk });
});

test("expiry, event matcher and reputation", async () => {
  const expiry = await policies.policiesPasswordExpiryCreate({
    passwordExpiryPolicyRequest: { name: `${mark}-expiry`, days: 0, denyOnly: true },
  });
  await core.coreUsersSetPasswordCreate({ id: user.pk, userPasswordSetRequest: { password: `${mark} old` } });
  const expired = await asked(expiry);
  assert.deepEqual([expired.passing, expired.messages], [false, ["Password has expired."]]);
  const matcher = await policies.policiesEventMatcherCreate({
    eventMatcherPolicyRequest: { name: `${mark}-matcher`, action: sdk.EventActions.Login },
  });
  assert.equal((await asked(matcher)).passing, false);
  const reputation = await policies.policiesReputationCreate({
    reputationPolicyRequest: { name: `${mark}-reputation`, checkIp: true, threshold: 1000 },
  });
  assert.equal((await asked(reputation)).passing, true);
  const page = await policies.policiesAllList({ search: mark, ordering: "-name" });
  assert.deepEqual(page.results.map((policy) => policy.verboseName),
    ["Reputation Policy", "Event Matcher Policy", "Password Expiry Policy"]);
  for (const { pk } of page.results) await policies.policiesAllDestroy({ policyUuid: pk });
  const scores = await policies.policiesReputationScoresList({ identifierIn: [mark, "node-score"], ordering: "ip" });
  assert.deepEqual(scores.results.map(({ identifier, ip, score }) => [identifier, ip, score]), [["node-score", "192.0.2.7", 2]]);
});

test("what is bound decides who gets in", async () => {
  const slug = `${mark}-wiki`.slice(0, 50);
  const application = await core.coreApplicationsCreate({
    applicationRequest: { name: "Wiki", slug, metaLaunchUrl: "https://wiki.example/", policyEngineMode: sdk.PolicyEngineMode.Any },
  });
  assert.equal(application.providerObj, null);
  assert.equal(application.launchUrl, "https://wiki.example/");
  const target = application.pk;
  const bind = (what) => policies.policiesBindingsCreate({ policyBindingRequest: { target, order: 0, ...what } });
  const passes = async (api = core, forUser = undefined) =>
    (await api.coreApplicationsCheckAccessRetrieve({ slug, forUser })).passing;
  const listed = async (api, more = {}) =>
    (await api.coreApplicationsList({ slug, ...more })).results.map((application) => application.slug);
  assert.equal(await passes(), true);

  const policy = await dummy("closed", false);
  const group = await core.coreGroupsCreate({ groupRequest: { name: `${mark}-group`, users: [user.pk] } });
  const byPolicy = await bind({ policy: policy.pk });
  assert.equal(byPolicy.policyObj.name, policy.name);
  assert.deepEqual([byPolicy.enabled, byPolicy.negate, byPolicy.timeout, byPolicy.groupObj], [true, false, 30, null]);
  assert.deepEqual([await passes(), await passes(plain.core)], [false, false]);
  const byGroup = await bind({ group: group.pk, order: 1 });
  assert.deepEqual([await passes(), await passes(plain.core), await passes(core, user.pk)], [false, true, true]);
  assert.deepEqual([await listed(core), await listed(plain.core)], [[], [slug]]);
  assert.deepEqual(await listed(core, { superuserFullList: true }), [slug]);
  await policies.policiesBindingsDestroy({ policyBindingUuid: byGroup.pk });
  const byUser = await bind({ user: user.pk, order: 2 });
  assert.equal(byUser.userObj.username, user.username);
  assert.equal(await passes(plain.core), true);
  await policies.policiesBindingsPartialUpdate({
    policyBindingUuid: byUser.pk, patchedPolicyBindingRequest: { user: user.pk, negate: true },
  });
  assert.deepEqual([await passes(), await passes(plain.core)], [true, false]);

  const found = await policies.policiesBindingsList({ target, ordering: "order" });
  assert.deepEqual(found.results.map((binding) => binding.pk), [byPolicy.pk, byUser.pk]);
  assert.equal((await policies.policiesAllRetrieve({ policyUuid: policy.pk })).boundTo, 1);
  const only = "Only one of 'policy', 'group' or 'user' can be set.";
  assert.deepEqual(await refused(400, () => bind({ policy: policy.pk, group: group.pk })), { non_field_errors: [only] });
  assert.deepEqual(await refused(400, () => bind({ policy: policy.pk })), {
    non_field_errors: ["The fields policy, target, order must make a unique set."],
  });
  await core.coreApplicationsDestroy({ slug });
  await refused(404, () => policies.policiesBindingsRetrieve({ policyBindingUuid: byPolicy.pk }));
  await policies.policiesDummyDestroy({ policyUuid: policy.pk });
  await core.coreGroupsDestroy({ groupUuid: group.pk });
});

test("results are remembered until somebody clears them", async () => {
  const slug = `${mark}-memory`.slice(0, 50);
  const { pk: target } = await core.coreApplicationsCreate({ applicationRequest: { name: "Memory", slug } });
  const policy = await dummy("memory", true);
  await policies.policiesBindingsCreate({ policyBindingRequest: { target, policy: policy.pk, order: 0 } });
  await core.coreApplicationsList({ slug });
  assert.ok((await policies.policiesAllCacheInfoRetrieve()).count >= 1);
  await policies.policiesAllCacheClearCreate();
  assert.equal((await policies.policiesAllCacheInfoRetrieve()).count, 0);
  await core.coreApplicationsDestroy({ slug });
  await policies.policiesDummyDestroy({ policyUuid: policy.pk });
});

test("wrong input, and what a plain user may not", async () => {
  const policy = await dummy("plain", true);
  assert.deepEqual(await refused(400, () => asked(policy, {}, { pk: 99999999 })), {
    user: ['Invalid pk "99999999" - object does not exist.'],
  });
  assert.ok("name" in await refused(400, () => dummy("plain", true)));
  const policyUuid = policy.pk;
  const policyTestRequest = { user: user.pk };
  await refused(403, () => plain.policies.policiesAllTestCreate({ policyUuid, policyTestRequest }));
  await refused(403, () => plain.policies.policiesAllList());
  await refused(403, () => plain.policies.policiesDummyDestroy({ policyUuid }));
  const types = await plain.policies.policiesAllTypesList();
  assert.ok(types.some((type) => type.modelName === "expressionpolicy"));
  await policies.policiesDummyDestroy({ policyUuid });
});
