// Clients for the families of SailPoint's TypeScript SDK, accounts, and what a refusal looks like.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import sdk from "sailpoint-api-client";

const env = process.env;
export const base = env.SDK_TEST_BASE;
export const admin = { id: env.SDK_TEST_PAT_ID, secret: env.SDK_TEST_PAT_SECRET };
export const throttled = {
  base: env.SDK_TEST_THROTTLED_BASE, id: env.SDK_TEST_THROTTLED_PAT_ID, secret: env.SDK_TEST_THROTTLED_PAT_SECRET,
};
export const nobody = "0".repeat(32);
export const codes = {
  missing: "400.1.0 Required Data Missing Or Empty", illegal: "400.1.3 Illegal value",
  tooMany: "400.1.4 Limit violation", duplicate: "400.1.409 Reference conflict",
  forbidden: "403 Forbidden", unknown: "404 Not found",
};

/** The SDK's configuration for an id and a secret, for which it fetches a bearer token. */
export const configured = ({ id, secret }, baseurl = base) =>
  new sdk.Configuration({ baseurl, clientId: id, clientSecret: secret, tokenUrl: `${baseurl}/oauth/token` });

/** The same for a bearer token. */
export const bearing = (accessToken) => new sdk.Configuration({ baseurl: base, accessToken });

/** The operations of one family: each gives its parameters names of its own. */
const family = (name, Api, suffix) => ({
  name,
  client: (configuration) => {
    const api = new Api(configuration);
    const [request, patch] = [`createPersonalAccessTokenRequest${suffix}`, `jsonPatchOperation${suffix}`];
    const list = async (ownerId, filters) => (await api.listPersonalAccessTokens({ ownerId, filters })).data;
    return {
      api, list,
      names: async (filters) => (await list("me", filters)).map((token) => token.name),
      create: async (name, fields) => (await api.createPersonalAccessToken({ [request]: { name, ...fields } })).data,
      patch: async (id, ...operations) => (await api.patchPersonalAccessToken({ id, [patch]: operations })).data,
      delete: (id) => api.deletePersonalAccessToken({ id }),
    };
  },
});

export const families = [
  family("beta", sdk.PersonalAccessTokensBetaApi, "Beta"),
  family("v3", sdk.PersonalAccessTokensApi, ""),
  family("v2024", sdk.PersonalAccessTokensV2024Api, "V2024"),
];

export const replace = (path, value) => ({ op: "replace", path, value });

/** Runs what must fail; gives back the response, whose envelope it checks where a detail code is expected. */
export async function refused(status, code, call) {
  const { response } = await call().then(() => assert.fail("the call succeeded"), (error) => error);
  assert.ok(response, "there was no answer");
  assert.equal(response.status, status, JSON.stringify(response.data));
  if (code) {
    const { detailCode, trackingId, messages, causes } = response.data;
    assert.equal(detailCode, code);
    assert.match(trackingId, /^[0-9a-f]{32}$/);
    const { text } = messages[0];
    assert.deepEqual(messages, [
      { locale: "en-US", localeOrigin: "DEFAULT", text }, { locale: "und", localeOrigin: "REQUEST", text },
    ]);
    assert.deepEqual(causes, []);
  }
  return response;
}

/** What no SDK of SailPoint's sends: accounts are the other dialect's. */
export async function core(method, path, body) {
  const response = await fetch(`${base}/api/v3/core/users/${path}`, {
    method, headers: { Authorization: `Bearer ${env.SDK_TEST_TOKEN}`, "Content-Type": "application/json" },
    body: body && JSON.stringify(body),
  });
  assert.ok(response.ok, `${method} ${path}: ${response.status}`);
  return response.status === 204 ? undefined : response.json();
}

let numbers = 0;

/** A plain account, removed after the test `t` with its tokens. */
export async function account(t, name = "Plain Person") {
  const username = `sdk-pat-node-${++numbers}-${process.pid}`;
  const { pk, uuid } = await core("POST", "", { username, name });
  t.after(() => core("DELETE", `${pk}/`));
  /** The id and the secret of a token made on the command line. */
  const token = (name, ...scopes) => {
    const options = scopes.flatMap((scope) => ["--scope", scope]);
    const command = ["pat", "create", "--owner", username, "--name", name, ...options];
    const printed = execFileSync(env.SDK_TEST_BINARY, command, { cwd: env.SDK_TEST_HOME, encoding: "utf8" });
    const [, id, secret] = /^id\s+([0-9a-f]{32})\s+secret\s+([0-9a-f]{64})\s*$/m.exec(printed);
    return { id, secret };
  };
  return { username, name, pk, id: uuid.replaceAll("-", ""), token };
}

/** A plain account and a client that acts as it. */
export async function plain(t, family) {
  const owner = await account(t);
  const key = owner.token("key");
  const configuration = configured(key);
  return { owner, key, configuration, client: family.client(configuration) };
}
