// Bearer tokens, configuration and rate limits through SailPoint's TypeScript SDK; see `tests/sdk/run.py`.
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout } from "node:timers/promises";
import sdk from "sailpoint-api-client";
import { base, bearing, codes, configured, families, nobody, plain, refused, replace, throttled } from "./support.mjs";

test("bearer tokens that are none", async () => {
  for (const family of families) {
    const dead = family.client(bearing("rubbish"));
    const patch = () => dead.patch(nobody, replace("/name", "x"));
    for (const call of [dead.names, () => dead.create("x"), patch, () => dead.delete(nobody)]) {
      const { data } = await refused(401, undefined, call);
      assert.deepEqual(data, { error: "JWT validation failed: JWT is invalid" });
    }
  }
});

test("a wrong secret", async (t) => {
  const { key } = await plain(t, families[0]);
  for (const wrong of [{ ...key, secret: "0".repeat(64) }, { ...key, id: nobody }]) {
    const configuration = configured(wrong);
    await assert.rejects(configuration.accessToken, /status code 401/);
    await assert.rejects(families[0].client(configuration).names(), /status code 401/);
  }
});

test("a base URL that ends in a slash", async (t) => {
  const { key } = await plain(t, families[0]);
  const configuration = configured(key, `${base}/`);
  for (const family of families) {
    const client = family.client(configuration);
    const made = await client.create("slashes");
    assert.equal((await client.patch(made.id, replace("/name", "doubled"))).name, "doubled");
    assert.ok((await client.names("lastUsed isnull")).includes("doubled"));
    await client.delete(made.id);
  }
});

test("configuration from environment and files", async (t) => {
  const { key } = await plain(t, families[0]);
  const [here, { HOME }] = [process.cwd(), process.env];
  const folder = mkdtempSync(join(tmpdir(), "sailpoint-"));
  t.after(() => {
    process.chdir(here);
    Object.assign(process.env, { HOME });
    rmSync(folder, { recursive: true });
  });
  const works = async () => assert.deepEqual(await families[0].client(new sdk.Configuration()).names(), ["key"]);

  process.chdir(folder);
  process.env.HOME = folder;
  mkdirSync(join(folder, ".sailpoint"));
  writeFileSync(join(folder, ".sailpoint", "config.yaml"), `authtype: PAT
activeenvironment: here
environments: {here: {baseurl: "${base}", pat: {clientid: "${key.id}", clientsecret: "${key.secret}"}}}
`);
  await works();
  rmSync(join(folder, ".sailpoint"), { recursive: true });
  writeFileSync("config.json", JSON.stringify({ BaseURL: base, ClientId: key.id, ClientSecret: key.secret }));
  await works();
  rmSync("config.json");
  const named = { SAIL_BASE_URL: base, SAIL_CLIENT_ID: key.id, SAIL_CLIENT_SECRET: key.secret };
  Object.assign(process.env, named);
  t.after(() => Object.keys(named).forEach((name) => delete process.env[name]));
  await works();
});

test("one store behind all families, each with a limit of its own", async () => {
  const configuration = configured(throttled, throttled.base);
  const [beta, v3, v2024] = families.map((family) => family.client(configuration));
  const made = await beta.create("shared");
  assert.deepEqual(await v3.names(), ["sdk", "shared"]);
  await refused(400, codes.duplicate, () => v2024.create("shared"));

  // Nothing is retried, whatever the method: each call here is one request.
  for (const call of [beta.names, () => beta.create(""), () => beta.patch(nobody), () => beta.delete(nobody)]) {
    let response;
    for (let calls = 0; calls < 20 && response?.status !== 429; calls++) {
      response = await call().then(() => undefined, (error) => error.response);
    }
    assert.equal(response?.status, 429);
    assert.deepEqual(response.data, { message: " Rate Limit Exceeded " });
    assert.match(response.headers["retry-after"], /^[12]$/);
  }
  assert.deepEqual(await v3.names(), ["sdk", "shared"]);
  await v2024.delete(made.id);
  await setTimeout(2100);
  assert.deepEqual(await beta.names(), ["sdk"]);
});
