// The browser, and what is looked at on every page that comes by.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { chromium } from "playwright-core";

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const pictures = process.env.WEB_TEST_PICTURES;
export const base = process.env.WEB_TEST_BASE;

export const VARIANTS = [
  { name: "light", colorScheme: "light", javaScriptEnabled: true },
  { name: "dark", colorScheme: "dark", javaScriptEnabled: true },
  { name: "no-script", colorScheme: "light", javaScriptEnabled: false },
];

let browser;

export async function start() {
  browser = await chromium.launch({
    executablePath: process.env.WEB_TEST_BROWSER,
    args: ["--no-sandbox", "--disable-dev-shm-usage"],
  });
}

export async function stop() {
  await browser?.close();
}

/** A browser of its own for one test: no cookies, and nothing may be fetched from elsewhere. */
export async function visitor({ name, colorScheme, javaScriptEnabled }) {
  const context = await browser.newContext({
    baseURL: base,
    colorScheme,
    javaScriptEnabled,
    viewport: { width: 1000, height: 760 },
  });
  context.setDefaultTimeout(8_000);
  const page = await context.newPage();
  const trouble = [];
  page.on("console", (message) => {
    // The browser reports answers of 400 and above itself.
    if (message.type() === "error" && !/status of \d+/.test(message.text())) trouble.push(message.text());
  });
  page.on("request", (request) => {
    if (!request.url().startsWith(base)) trouble.push(`fetched ${request.url()}`);
  });
  return { page, context, trouble, variant: name, scripted: javaScriptEnabled };
}

/** Looks at the page: words, headers, accessibility; a picture of it where those are wanted. */
export async function look({ page, trouble, variant, scripted }, name, title) {
  assert.equal(await page.title(), `${title} – Tessera`);
  assert.equal(await page.locator("html").getAttribute("lang"), "en");
  assert.equal(await page.locator("h1").count(), 1);
  assert.equal(await page.locator("script, style, [style]").count(), 0, "neither scripts nor styles in the page");
  assert.deepEqual(trouble, []);
  if (pictures && scripted) {
    await page.screenshot({ path: `${pictures}/${name}-${variant}.png`, fullPage: true });
  }
  if (!scripted) return;
  await page.evaluate(axe);
  const found = await page.evaluate(() => globalThis.axe.run());
  const bad = found.violations.filter(({ impact }) => impact === "serious" || impact === "critical");
  const told = bad.map(({ id, nodes }) => `${id}: ${nodes.map(({ html, failureSummary }) => `${html} ${failureSummary}`).join("; ")}`);
  assert.deepEqual(told, [], `axe on ${name}`);
  const small = await page.evaluate(() =>
    [...document.querySelectorAll("button, .button, .target, input:not([type=hidden], [type=checkbox], [type=radio], [hidden]), select, textarea, .choice")]
      .filter((element) => element.getBoundingClientRect().height < 44)
      .map((element) => element.outerHTML),
  );
  assert.deepEqual(small, [], "what is pressed is 44 pixels high");
  await page.setViewportSize({ width: 320, height: 700 });
  const wide = await page.evaluate(() => document.documentElement.scrollWidth);
  if (pictures && variant === "light") {
    await page.screenshot({ path: `${pictures}/${name}-narrow.png`, fullPage: true });
  }
  await page.setViewportSize({ width: 1000, height: 760 });
  assert.ok(wide <= 320, `${name} is ${wide} pixels wide on a narrow screen`);
}

/** The element that has the focus, as tag#id or tag.class, and whether a ring shows it. */
export async function focused(page) {
  return page.evaluate(() => {
    const element = document.activeElement;
    return { text: element.labels?.[0]?.textContent.trim() ?? element.textContent.trim(), ring: getComputedStyle(element).outlineStyle !== "none" };
  });
}
