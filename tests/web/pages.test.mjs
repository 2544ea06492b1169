// What people do on the pages, each in light, in dark, and without JavaScript.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { after, before, test } from "node:test";
import { VARIANTS, base, focused, look, start, stop, visitor } from "./browser.mjs";

const setting = JSON.parse(process.env.WEB_TEST_SETTING);
const NEW = "another-long-password-7";

before(start);
after(stop);

/** A test in every variant, each in a browser of its own. */
function scenario(name, run, variants = VARIANTS) {
  for (const variant of variants) {
    test(`${name} (${variant.name})`, async () => {
      const seen = await visitor(variant);
      try {
        await run(seen);
      } finally {
        await seen.context.close();
      }
    });
  }
}

const press = (page, name) => page.getByRole("button", { name, exact: true }).click();
const path = (page) => page.url().slice(base.length);

/** Types name and password; looks at nothing. */
async function signIn(page, name, password = setting.password, at = "/") {
  await page.goto(at);
  await page.getByLabel("Email or username").fill(name);
  await press(page, "Continue");
  await page.getByLabel("Password", { exact: true }).fill(password);
  await press(page, "Sign in");
}

scenario("sign in", async (seen) => {
  const { page, context, variant } = seen;
  await page.goto("/");
  assert.equal(path(page), "/if/flow/default-authentication-flow/");
  await look(seen, "identification", "Sign in");
  const name = page.getByLabel("Email or username");
  assert.equal(await name.getAttribute("autocomplete"), "username");
  await name.fill(`in-${variant}`);
  await press(page, "Continue");
  await look(seen, "password", "Enter your password");
  assert.ok(await page.getByText(`in-${variant}`).isVisible());
  const password = page.getByLabel("Password", { exact: true });
  assert.equal(await password.getAttribute("autocomplete"), "current-password");
  await password.fill(setting.password);
  await press(page, "Sign in");
  assert.equal(path(page), "/");
  await look(seen, "home", "You are signed in");
  assert.ok(await page.locator("main").getByText(`in-${variant}`).isVisible());
  const cookie = (await context.cookies()).find(({ name }) => name === "authentik_session");
  assert.ok(cookie.httpOnly && cookie.sameSite === "Lax", JSON.stringify({ ...cookie, value: "" }));
});

scenario("a wrong password", async (seen) => {
  const { page, variant } = seen;
  await signIn(page, `in-${variant}`, "not-the-password");
  await look(seen, "password-wrong", "Error: Enter your password");
  const password = page.getByLabel("Password", { exact: true });
  assert.equal(await password.inputValue(), "", "never filled in again");
  assert.equal(await password.getAttribute("aria-invalid"), "true");
  const fault = page.locator(`#${await password.getAttribute("aria-describedby")}`);
  assert.match(await fault.textContent(), /Invalid password/);
  assert.equal((await focused(page)).text, "Password");
  await password.fill(setting.password);
  await press(page, "Sign in");
  assert.equal(path(page), "/");
});

scenario("not you", async (seen) => {
  const { page } = seen;
  await page.goto("/");
  await page.getByLabel("Email or username").fill("somebody else");
  await press(page, "Continue");
  await page.getByRole("link", { name: "Not you?" }).click();
  await page.goto("/if/flow/default-authentication-flow/");
  await page.getByLabel("Email or username").waitFor();
});

scenario("an expired password", async (seen) => {
  const { page, variant } = seen;
  await signIn(page, `expired-${variant}`);
  assert.equal(await page.locator(".notice.note").count(), 1, "says why");
  await look(seen, "expired", await page.locator("h1").textContent());
  const fields = page.locator("input[type=password]");
  assert.equal(await fields.first().getAttribute("autocomplete"), "new-password");
  await fields.nth(0).fill(NEW);
  await fields.nth(1).fill("not the same");
  await press(page, "Continue");
  assert.equal(await page.getByRole("alert").count(), 1);
  await look(seen, "expired-mismatch", `Error: ${await page.locator("h1").textContent()}`);
  assert.equal(await fields.first().inputValue(), "", "never filled in again");
  await fields.nth(0).fill(NEW);
  await fields.nth(1).fill(NEW);
  await press(page, "Continue");
  assert.equal(path(page), "/");
  await page.getByText(`expired-${variant}`).waitFor();
});

scenario("an expired password that only an administrator changes", async (seen) => {
  const { page, variant } = seen;
  await signIn(page, `denied-${variant}`, setting.password, "/if/flow/web-denied/");
  await look(seen, "denied", "Access denied");
  assert.match(await page.getByRole("alert").textContent(), /expired/i);
  await page.getByRole("link", { name: "Start again" }).click();
  await page.getByLabel("Email or username").waitFor();
});

scenario("a recovery link", async (seen) => {
  const { page, variant } = seen;
  await page.goto(setting.recovery[variant]);
  await look(seen, "recovery", "Choose a new password");
  const fields = page.locator("input[type=password]");
  await fields.nth(0).fill(NEW);
  await fields.nth(1).fill(NEW);
  await press(page, "Continue");
  assert.equal(path(page), "/");
  await page.getByText(`recovery-${variant}`).waitFor();
});

scenario("change the password", async (seen) => {
  const { page, variant } = seen;
  await signIn(page, `change-${variant}`);
  await page.getByRole("link", { name: "Change your password" }).click();
  await look(seen, "change", await page.locator("h1").textContent());
  const fields = page.locator("input[type=password]");
  await fields.nth(0).fill(NEW);
  await fields.nth(1).fill(NEW);
  await press(page, "Continue");
  assert.equal(path(page), "/");
  await page.context().clearCookies();
  await signIn(page, `change-${variant}`, NEW);
  assert.equal(path(page), "/");
});

scenario("sign out", async (seen) => {
  const { page, context, variant } = seen;
  await signIn(page, `out-${variant}`);
  await page.getByRole("link", { name: "Sign out" }).click();
  await page.goto("/");
  await page.getByLabel("Email or username").waitFor();
  const left = await context.request.get("/api/v3/core/users/me/");
  assert.equal(left.status(), 403);
});

scenario("sign out everywhere else", async (seen) => {
  const { page, variant } = seen;
  const other = await visitor(VARIANTS.find(({ name }) => name === variant));
  await signIn(other.page, `elsewhere-${variant}`);
  await signIn(page, `elsewhere-${variant}`);
  await look(seen, "home-sessions", "You are signed in");
  await press(page, "Sign out everywhere else");
  assert.match(await page.getByRole("status").textContent(), /ended/);
  await other.page.goto("/");
  await other.page.getByLabel("Email or username").waitFor();
  await other.context.close();
});

scenario("stay signed in", async (seen) => {
  const { page, context, variant } = seen;
  await signIn(page, `stay-${variant}`, setting.password, "/if/flow/web-stay/");
  await look(seen, "stay", "Stay signed in?");
  await press(page, "Stay signed in");
  assert.equal(path(page), "/");
  const cookie = (await context.cookies()).find(({ name }) => name === "authentik_session");
  assert.ok(cookie.expires > Date.now() / 1000 + 20 * 86_400, `${cookie.expires}`);
});

scenario("where the address leads", async (seen) => {
  const { page, variant } = seen;
  await signIn(page, `in-${variant}`, setting.password, "/flows/-/default/authentication/?next=%2Fif%2Fuser%2F%3Fa%3Db");
  assert.equal(path(page), "/if/user/?a=b");
});

scenario("every kind of prompt", async (seen) => {
  const { page } = seen;
  await page.goto("/if/flow/web-prompts/");
  await look(seen, "prompts", "About you");
  assert.ok(await page.getByText("No <b>markup</b>.").isVisible(), "texts are texts");
  await page.getByLabel("Name", { exact: true }).fill("Ada");
  await page.getByLabel("Email", { exact: true }).fill("ada@example.com");
  await page.getByLabel(/^Age/).fill("36");
  await page.getByLabel("Password", { exact: true }).fill(NEW);
  await page.getByLabel("I have read them").check();
  await page.getByLabel("Small").check();
  await page.getByLabel("Photo").setInputFiles({ name: "a.txt", mimeType: "text/plain", buffer: Buffer.from("hi") });
  await press(page, "Continue");
  assert.equal(path(page), "/if/flow/default-authentication-flow/", await page.locator("main").textContent());
});

scenario("a step without questions", async (seen) => {
  const { page } = seen;
  await page.goto("/if/flow/web-dummy/");
  await look(seen, "dummy", "Nothing to do");
  await press(page, "Continue");
  assert.equal(path(page), "/if/flow/default-authentication-flow/");
});

scenario("no entry", async (seen) => {
  const { page } = seen;
  await page.goto("/if/flow/web-no/");
  await look(seen, "no", "Access denied");
  assert.ok(await page.getByText("Not on <i>Sundays</i>.").isVisible());
});

scenario("no such page", async (seen) => {
  for (const at of ["/if/flow/no-such-flow/", "/flows/-/default/nonsense/", "/no/such/page"]) {
    const answer = await seen.page.goto(at);
    assert.equal(answer.status(), 404, at);
    await look(seen, "not-found", "There is nothing here");
  }
});

scenario("a form of another session", async (seen) => {
  const { page, context } = seen;
  await page.goto("/if/flow/default-authentication-flow/");
  await context.clearCookies();
  await page.getByLabel("Email or username").fill("x");
  await press(page, "Continue");
  await look(seen, "no-cookie", "Your browser sent no cookie");
  await page.goto("/if/flow/default-authentication-flow/");
  const other = await context.newPage();
  const csrf = await page.locator("[name=csrf]").inputValue();
  await other.goto("/if/flow/default-authentication-flow/");
  const form = { csrf: `${csrf}x`, component: "ak-stage-identification", uid_field: "x" };
  const answer = await context.request.post("/if/flow/default-authentication-flow/", { form });
  assert.equal(answer.status(), 403);
  assert.match(await answer.text(), /out of date/);
});

scenario("only the keyboard", async (seen) => {
  const { page, variant } = seen;
  await page.goto("/");
  assert.deepEqual(await focused(page), { text: "Email or username", ring: true });
  await page.keyboard.type(`keyboard-${variant}`);
  await page.keyboard.press("Tab");
  assert.deepEqual(await focused(page), { text: "Continue", ring: true });
  await Promise.all([page.waitForURL(/./), page.keyboard.press("Enter")]);
  await page.getByLabel("Password", { exact: true }).waitFor();
  await page.keyboard.type("wrong");
  await page.keyboard.press("Enter");
  await page.locator("[aria-invalid=true]").waitFor();
  assert.deepEqual(await focused(page), { text: "Password", ring: true });
  await page.keyboard.type(setting.password);
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { name: "You are signed in", exact: true }).waitFor();
  for (const text of ["Sign out", "Change your password", "Your tokens", "Browse the API"]) {
    await page.keyboard.press("Tab");
    assert.deepEqual(await focused(page), { text, ring: true });
  }
  for (let back = 0; back < 3; back++) await page.keyboard.press("Shift+Tab");
  await page.keyboard.press("Enter");
  await page.waitForURL((url) => !["/", "/if/user/"].includes(url.pathname));
});

/** What a command outside of the browser is answered: status and body. */
function curl(at, ...options) {
  const text = execFileSync("curl", ["-s", "-w", "\n%{http_code}", ...options, `${base}${at}`], { encoding: "utf8" });
  const end = text.lastIndexOf("\n");
  return { status: Number(text.slice(end + 1)), body: text.slice(0, end) };
}

/** Copies a field as people do, and says what ends up where it is pasted. */
async function copied(page, label, paste) {
  await page.getByLabel(label, { exact: true }).click();
  await page.keyboard.press("Control+A");
  await page.keyboard.press("Control+C");
  await paste.fill("");
  await paste.click();
  await page.keyboard.press("Control+V");
  return paste.inputValue();
}

scenario("a personal access token", async (seen) => {
  const { page, variant } = seen;
  await signIn(page, `tokens-${variant}`);
  await page.getByRole("link", { name: "Your tokens" }).click();
  assert.equal(path(page), "/if/user/tokens/");
  await page.getByText("New personal access token").click();
  await page.getByLabel("Name", { exact: true }).fill("For the nightly run");
  await page.getByLabel("Everything you may do").check();
  await page.getByLabel("Ends", { exact: true }).selectOption("In 90 days");
  await look(seen, "tokens-form", "Your tokens");
  await press(page, "Make the token");
  await look(seen, "token-made", "Copy your new token");
  await page.getByText("New personal access token").click();
  const paste = page.getByLabel("Name", { exact: true });
  const id = await copied(page, "Client ID", paste);
  const secret = await copied(page, "Client secret", paste);
  assert.match(id, /^[0-9a-f]{32}$/);
  assert.match(secret, /^[0-9a-f]{64}$/);
  const trade = () => curl("/oauth/token", "-d", `grant_type=client_credentials&client_id=${id}&client_secret=${secret}`);
  const bearer = `Authorization: Bearer ${JSON.parse(trade().body).access_token}`;
  const mine = curl("/beta/personal-access-tokens?owner-id=me", "-H", bearer);
  assert.equal(mine.status, 200);
  assert.deepEqual(JSON.parse(mine.body).map(({ name, scope }) => [name, scope]), [["For the nightly run", ["sp:scopes:all"]]]);
  await page.goto("/if/user/tokens/");
  assert.ok(!(await page.content()).includes(secret), "shown once");
  await look(seen, "tokens", "Your tokens");
  assert.ok(await page.getByText(/ends \d+ \w+ \d{4}$/).first().isVisible());
  await page.goto("/if/user/tokens/");
  await page.getByLabel("Revoke For the nightly run").click();
  await page.getByRole("button", { name: "Revoke now: For the nightly run" }).click();
  assert.match(await page.getByRole("status").textContent(), /revoked/);
  assert.equal(await page.getByText("For the nightly run").count(), 0);
  assert.equal(curl("/beta/personal-access-tokens?owner-id=me", "-H", bearer).status, 401);
  assert.equal(trade().status, 401);
});

scenario("an API token and an app password", async (seen) => {
  const { page, variant } = seen;
  await signIn(page, `keys-${variant}`, setting.password, "/flows/-/default/authentication/?next=%2Fif%2Fuser%2Ftokens%2F");
  const make = async (kind, identifier) => {
    await page.getByText("New API token or app password").click();
    await page.getByLabel("Identifier").fill(identifier);
    await page.getByLabel("Kind").selectOption(kind);
    await press(page, "Make the token");
  };
  await make("API token", `api-${variant}`);
  const key = `Authorization: Bearer ${await page.getByLabel("Key", { exact: true }).inputValue()}`;
  assert.equal(JSON.parse(curl("/api/v3/core/users/me/", "-H", key).body).user.username, `keys-${variant}`);
  await make("App password", `app-${variant}`);
  await look(seen, "app-password-made", "Copy your new token");
  const password = await page.getByLabel("App password", { exact: true }).inputValue();
  await make("API token", `api-${variant}`);
  await look(seen, "tokens-taken", "Error: Your tokens");
  assert.equal(await page.getByRole("alert").textContent().then((text) => text.trim()), "Another token has this name.");
  assert.equal(await page.getByLabel("Identifier").inputValue(), `api-${variant}`, "what was typed is kept");
  await page.getByLabel(`Revoke api-${variant}`).click();
  await page.getByRole("button", { name: `Revoke now: api-${variant}` }).click();
  assert.match(await page.getByRole("status").textContent(), /revoked/);
  assert.equal(curl("/api/v3/core/users/me/", "-H", key).status, 403);
  const other = await visitor(VARIANTS.find(({ name }) => name === variant));
  await signIn(other.page, `keys-${variant}`, password);
  assert.equal(path(other.page), "/");
  await other.context.close();
});

scenario("tokens of nobody, and of a forged form", async ({ page, context, variant }) => {
  await page.goto("/if/user/tokens/");
  assert.match(path(page), /^\/if\/flow\/default-authentication-flow\//);
  await signIn(page, `keys-${variant}`);
  const form = { csrf: "x", do: "make-pat", name: "forged" };
  const answer = await context.request.post("/if/user/tokens/", { form });
  assert.equal(answer.status(), 403);
  await page.goto("/if/user/tokens/");
  assert.equal(await page.getByText("forged").count(), 0);
}, VARIANTS.slice(0, 1));

scenario("headers", async ({ context }) => {
  const answer = await context.request.get("/if/flow/default-authentication-flow/");
  const headers = answer.headers();
  assert.equal(headers["content-security-policy"], "default-src 'none'; style-src 'self'; img-src 'self' data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'");
  assert.equal(headers["cache-control"], "no-store");
  const sheet = (await answer.text()).match(/href="(\/static\/tessera\.css\?v=[0-9a-f]+)"/)[1];
  const first = await context.request.get(sheet);
  assert.match(first.headers()["cache-control"], /immutable/);
  const again = await context.request.get(sheet, { headers: { "If-None-Match": first.headers().etag } });
  assert.equal(again.status(), 304);
}, VARIANTS.slice(0, 1));
