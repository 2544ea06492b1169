// Tokens through authentik's published TypeScript SDK, unmodified; `tests/sdk/run.py` starts the server.
import assert from "node:assert/strict";
import { test } from "node:test";
import sdk from "@goauthentik/api";

const base = `${process.env.SDK_TEST_BASE}/api/v3`;
const mark = `node-${process.pid}`;

const client = (accessToken) => new sdk.CoreApi(new sdk.Configuration({ basePath: base, accessToken }));
const core = client(process.env.SDK_TEST_TOKEN);

/** Runs what must fail; gives back the decoded body. */
async function refused(status, call) {
  const error = await call().then(() => assert.fail("the call succeeded"), (error) => error);
  assert.ok(error instanceof sdk.ResponseError, String(error));
  assert.equal(error.response.status, status);
  return error.response.json();
}

const create = (tokenRequest) => core.coreTokensCreate({ tokenRequest });
const keyOf = async (identifier) => (await core.coreTokensViewKeyRetrieve({ identifier })).key;
const whoIs = async (key) => (await client(key).coreUsersMeRetrieve()).user.username;

test("create, retrieve and list", async () => {
  const names = ["c", "a", "b"].map((name) => `${mark}-${name}`);
  for (const identifier of names) await create({ identifier, description: "made by a test" });
  const one = await core.coreTokensRetrieve({ identifier: names[0] });
  assert.equal(one.intent, sdk.IntentEnum.Api);
  assert.equal(one.userObj.username, "akadmin");
  assert.ok(one.expires instanceof Date && one.expiring === true && one.managed == null);

  const page = await core.coreTokensList({ search: mark, pageSize: 2, page: 2 });
  assert.deepEqual(page.results.map((token) => token.identifier), [`${mark}-c`]);
  const { count, current, totalPages, previous, next, startIndex, endIndex } = page.pagination;
  assert.deepEqual([count, current, totalPages, previous, next, startIndex, endIndex], [3, 2, 2, 1, 0, 3, 3]);
  const ordered = await core.coreTokensList({ search: mark, ordering: "-identifier" });
  assert.deepEqual(ordered.results.map((token) => token.identifier.at(-1)), ["c", "b", "a"]);
  const filtered = await core.coreTokensList({
    identifier: names[1], intent: sdk.CoreTokensListIntentEnum.Api, expiring: true, userUsername: "akadmin",
  });
  assert.deepEqual(filtered.results.map((token) => token.identifier), [names[1]]);
});

test("partial update, update and rename", async () => {
  const identifier = `${mark}-edit`;
  const made = await create({ identifier, intent: sdk.IntentEnum.AppPassword });
  const patched = await core.coreTokensPartialUpdate({ identifier, patchedTokenRequest: { description: "changed" } });
  assert.equal(patched.description, "changed");
  assert.equal(patched.intent, sdk.IntentEnum.AppPassword);
  const renamed = await core.coreTokensUpdate({
    identifier, tokenRequest: { identifier: `${identifier}-2`, intent: sdk.IntentEnum.Api, user: made.user },
  });
  assert.equal(renamed.pk, made.pk);
  assert.equal(renamed.intent, sdk.IntentEnum.Api);
  assert.deepEqual(await refused(404, () => core.coreTokensRetrieve({ identifier })), { detail: "Not found." });
});

test("view, use and set a key", async () => {
  const identifier = `${mark}-key`;
  await create({ identifier });
  const first = await keyOf(identifier);
  assert.equal(first.length, 60);
  assert.equal(await whoIs(first), "akadmin");
  const second = `${mark} a key of my own`;
  await core.coreTokensSetKeyCreate({ identifier, tokenSetKeyRequest: { key: second } });
  assert.equal(await keyOf(identifier), second);
  assert.equal(await whoIs(second), "akadmin");
  assert.deepEqual(await refused(403, () => whoIs(first)), { detail: "Token invalid/expired" });
});

test("used by and destroy", async () => {
  const identifier = `${mark}-gone`;
  await create({ identifier });
  assert.deepEqual(await core.coreTokensUsedByList({ identifier }), []);
  const key = await keyOf(identifier);
  await core.coreTokensDestroy({ identifier });
  await refused(404, () => core.coreTokensDestroy({ identifier }));
  await refused(403, () => whoIs(key));
});

test("wrong input has a status and a text", async () => {
  const identifier = `${mark}-twice`;
  await create({ identifier });
  assert.deepEqual(await refused(400, () => create({ identifier })), {
    identifier: ["Token with this identifier already exists."],
  });
  assert.deepEqual(await refused(400, () => create({ identifier: "a b", user: "me", expiring: "maybe" })), {
    identifier: ['Enter a valid "slug" consisting of letters, numbers, underscores or hyphens.'],
    user: ["Incorrect type. Expected pk value, received str."],
    expiring: ["Must be a valid boolean."],
  });
  assert.deepEqual(await refused(404, () => core.coreTokensList({ page: 99999 })), { detail: "Invalid page." });
  assert.deepEqual(await refused(403, () => client(undefined).coreTokensList()), {
    detail: "Authentication credentials were not provided.",
  });
});

test("a plain user sees only their own", async () => {
  const user = await core.coreUsersCreate({ userRequest: { username: `${mark}-plain`, name: "Plain" } });
  const identifier = `${mark}-of-plain`;
  await create({ identifier, user: user.pk });
  const plain = client(await keyOf(identifier));
  const seen = await plain.coreTokensList();
  assert.deepEqual(seen.results.map((token) => token.identifier), [identifier]);
  await create({ identifier: `${mark}-of-admin` });
  await refused(404, () => plain.coreTokensRetrieve({ identifier: `${mark}-of-admin` }));
  await core.coreUsersDestroy({ id: user.pk });
});
