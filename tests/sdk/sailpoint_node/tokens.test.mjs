// Personal access tokens through SailPoint's published TypeScript SDK, unmodified; see `tests/sdk/run.py`.
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { setTimeout } from "node:timers/promises";
import sdk from "sailpoint-api-client";
import { account, admin, codes, configured, families, nobody, plain, refused, replace } from "./support.mjs";

const day = 24 * 3600 * 1000;
const all = "sp:scopes:all";
const inDays = (days) => new Date(Date.now() + days * day).toISOString();

for (const family of families) suite(family.name, () => {
  test("create answers every field", async (t) => {
    const { client, owner } = await plain(t, family);
    const made = await client.create("deploy");
    assert.deepEqual(Object.keys(made).sort(),
      ["accessTokenValiditySeconds", "created", "expirationDate", "id", "name", "owner", "scope", "secret"]);
    assert.match(made.id, /^[0-9a-f]{32}$/);
    assert.match(made.secret, /^[0-9a-f]{64}$/);
    assert.deepEqual([made.name, made.scope, made.accessTokenValiditySeconds], ["deploy", [all], 43200]);
    assert.deepEqual(made.owner, { type: "IDENTITY", id: owner.id, name: owner.name });
    for (const time of [made.created, made.expirationDate]) {
      assert.match(time, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
    }
    const days = (Date.parse(made.expirationDate) - Date.parse(made.created)) / day;
    assert.ok(days >= 181 && days <= 185, `six months, not ${days} days`);
  });

  test("create keeps what is given", async (t) => {
    const { client } = await plain(t, family);
    const given = { scope: ["sp:unheard-of:read"], accessTokenValiditySeconds: 15, expirationDate: inDays(90) };
    const { scope, accessTokenValiditySeconds, expirationDate } = await client.create("full", given);
    assert.deepEqual({ scope, accessTokenValiditySeconds, expirationDate }, given);
    const nulls = await client.create("nulls", { scope: null, accessTokenValiditySeconds: null, expirationDate: null });
    assert.deepEqual([nulls.scope, nulls.accessTokenValiditySeconds], [[all], 43200]);
    assert.deepEqual((await client.create("none", { scope: [] })).scope, []);
    assert.deepEqual(await client.names(), ["key", "full", "nulls", "none"]);
  });

  test("create refuses", async (t) => {
    const { client } = await plain(t, family);
    await client.create("one");
    const illegal = [
      ...[14, 43201, 60.5, "60", true].map((accessTokenValiditySeconds) => ({ accessTokenValiditySeconds })),
      ...[all, [7], ["a b"], [null], {}].map((scope) => ({ scope })),
      ...[inDays(-1), inDays(186), "tomorrow", "", 1900000000].map((expirationDate) => ({ expirationDate })),
    ];
    const wrong = [
      [codes.duplicate, "one"], [codes.missing, undefined], [codes.missing, null], [codes.illegal, 7],
      [codes.illegal, "x".repeat(256)], ...illegal.map((fields) => [codes.illegal, "a", fields]),
      [codes.tooMany, "a", { scope: Array.from({ length: 101 }, (_, n) => `sp:${n}`) }],
    ];
    for (const [code, name, fields] of wrong) await refused(400, code, () => client.create(name, fields));
    assert.deepEqual(await client.names(), ["key", "one"]);
  });

  test("ten tokens an owner", async (t) => {
    const { client } = await plain(t, family);
    const made = [];
    for (let n = 0; n < 9; n++) made.push(await client.create(`n${n}`));
    await refused(400, codes.tooMany, () => client.create("eleventh"));
    await client.delete(made[0].id);
    await client.create("tenth");
    assert.equal((await client.names()).length, 10);
  });

  test("the list", async (t) => {
    const { client, owner, key } = await plain(t, family);
    for (const name of ["c", "a"]) await client.create(name);
    const [own, ...others] = await client.list("me");
    assert.deepEqual([own.id, own.name, own.managed, own.owner.id], [key.id, "key", false, owner.id]);
    assert.deepEqual(others.map((token) => [token.name, token.lastUsed]), [["c", null], ["a", null]]);
    assert.ok(!others.some((token) => "secret" in token));

    const later = `lastUsed gt ${inDays(-1)}`;
    const unsupported = ['name eq "key"', "lastUsed+isnull", "lastUsed", later, "lastUsed le now"];
    for (const filters of unsupported) await refused(400, codes.illegal, () => client.list("me", filters));
  });

  test("the paginator gets everything at once", async (t) => {
    const { client } = await plain(t, family);
    for (const name of ["a", "b", "c"]) await client.create(name);
    const { api } = client;
    const { data } = await sdk.Paginator.paginate(api, api.listPersonalAccessTokens, { ownerId: "me" }, 250);
    assert.deepEqual(data.map((token) => token.name), ["key", "a", "b", "c"]);
  });

  test("whose tokens are listed", async (t) => {
    const { client, owner } = await plain(t, family);
    await refused(403, codes.forbidden, () => client.list());
    await refused(403, codes.forbidden, () => client.list(nobody));
    const administrator = family.client(configured(admin));
    assert.deepEqual((await administrator.list(owner.id)).map((token) => token.name), ["key"]);
    assert.ok((await administrator.list()).some((token) => token.owner.id === owner.id));
    assert.ok((await administrator.list("me")).every((token) => token.owner.id !== owner.id));
    assert.deepEqual(await administrator.list(nobody), []);
  });

  test("patch", async (t) => {
    const { client } = await plain(t, family);
    const made = await client.create("before");
    const test = (value) => ({ op: "test", path: "/name", value });
    const patched = await client.patch(made.id, test("before"), replace("/name", "after"), test("after"));
    const { secret, ...rest } = made;
    assert.deepEqual(patched, { ...rest, name: "after", lastUsed: null, managed: false });
    assert.deepEqual(await client.patch(made.id), patched);
    assert.deepEqual((await client.list("me"))[1], patched);

    await refused(400, codes.duplicate, () => client.patch(made.id, replace("/name", "key")));
    const wrong = [
      replace("/name", null), replace("/name", 7), { op: "remove", path: "/name" }, replace("/scope", null), test("x"),
      replace("/scope", ["a b"]), replace("/scope/0", all), replace("/id", nobody),
      replace("/accessTokenValiditySeconds", 60), replace("/expirationDate", inDays(30)),
      replace("/expirationDate", null), replace("/userAwareTokenNeverExpires", true),
      { op: "copy", from: "/id", path: "/name" }, { op: "move", from: "/id", path: "/name" },
    ];
    const half = replace("/name", "half done");
    for (const operation of wrong) await refused(400, undefined, () => client.patch(made.id, half, operation));
    assert.deepEqual(await client.names(), ["key", "after"]);
  });

  test("scopes are patched", async (t) => {
    const { client } = await plain(t, family);
    const made = await client.create("scoped");
    const scoped = family.client(configured(made));
    assert.deepEqual(await scoped.names(), ["key", "scoped"]);
    const narrow = ["sp:my-personal-access-tokens:read"];
    assert.deepEqual((await client.patch(made.id, replace("/scope", narrow))).scope, narrow);
    assert.deepEqual(await scoped.names(), ["key", "scoped"]);
    await refused(403, codes.forbidden, () => scoped.create("not any more"));
    await client.patch(made.id, replace("/scope", [...narrow, "sp:my-personal-access-tokens:manage"]));
    await family.client(configured(made)).create("again");
  });

  test("delete", async (t) => {
    const { client } = await plain(t, family);
    const made = await client.create("gone");
    const itself = family.client(configured(made));
    await itself.names();
    const { status, data } = await client.delete(made.id);
    assert.deepEqual([status, data], [204, ""]);
    await refused(404, codes.unknown, () => client.delete(made.id));
    const { data: dead } = await refused(401, undefined, () => itself.names());
    assert.deepEqual(dead, { error: "JWT validation failed: JWT is invalid" });
    await assert.rejects(configured(made).accessToken, /status code 401/);
  });

  test("unknown ids", async (t) => {
    const { client } = await plain(t, family);
    for (const id of [nobody, "a/b", "a b", "%", "ä", "?x=y", "#", "nothing/../key"]) {
      await refused(404, codes.unknown, () => client.delete(id));
      await refused(404, codes.unknown, () => client.patch(id, replace("/name", "x")));
    }
  });

  test("the tokens of others", async (t) => {
    const { client } = await plain(t, family);
    const stranger = family.client(configured((await account(t)).token("key")));
    const administrator = family.client(configured(admin));
    const made = await client.create("mine");
    await refused(404, codes.unknown, () => stranger.delete(made.id));
    await refused(404, codes.unknown, () => stranger.patch(made.id, replace("/name", "yours")));
    await refused(403, codes.forbidden, () => administrator.patch(made.id, replace("/name", "yours")));
    await administrator.delete(made.id);
    assert.deepEqual(await client.names(), ["key"]);
  });

  test("scopes that are too small", async (t) => {
    const owner = await account(t);
    const with_ = (scope) => family.client(configured(owner.token(scope, scope)));
    const least = with_("sp:scopes:default");
    await refused(403, codes.forbidden, () => least.names());
    await refused(403, codes.forbidden, () => least.create("x"));
    await refused(403, codes.forbidden, () => least.patch(nobody, replace("/name", "x")));
    await refused(403, codes.forbidden, () => least.delete(nobody));
    const reader = with_("sp:my-personal-access-tokens:read");
    assert.equal((await reader.names()).length, 2);
    await refused(403, codes.forbidden, () => reader.create("x"));
    const manager = with_("sp:my-personal-access-tokens:manage");
    await manager.delete((await manager.create("x")).id);
  });
});

test("filters by last use", async (t) => {
  const { client, configuration } = await plain(t, families[0]);
  await client.create("unused");
  for (let tries = 0; tries < 150 && !(await client.list("me"))[0].lastUsed; tries++) await setTimeout(100);
  for (const family of families) {
    const { list, names } = family.client(configuration);
    assert.ok(Math.abs(Date.now() - Date.parse((await list("me"))[0].lastUsed)) < day);
    assert.deepEqual(await names("lastUsed isnull"), ["unused"]);
    assert.deepEqual(await names(`lastUsed le ${inDays(1)}`), ["key"]);
    assert.deepEqual(await names(`lastUsed le ${inDays(-1)}`), []);
    const composed = `not lastUsed isnull and (lastUsed le ${inDays(1)} or lastUsed isnull)`;
    assert.deepEqual(await names(composed), ["key"]);
  }
});
