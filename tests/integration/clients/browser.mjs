/* Chromium without a screen, for tests of pages. Reads one command a line as JSON from standard input and answers
 * each with one line; browser.py is the other side. puppeteer-core and axe-core come from MCP_FLEET_ENVS/node, the
 * path of the browser from the command line. */

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";

const require = createRequire(`${process.env.MCP_FLEET_ENVS}/node/`);
const { default: puppeteer } = await import(pathToFileURL(require.resolve("puppeteer-core")).href);
const axe = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");

/* Its own sandbox needs rights that a container may not give, and root may not use it. */
const browser = await puppeteer.launch({
	executablePath: process.argv[2],
	args: ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
		"--no-first-run", "--force-color-profile=srgb"],
});
let page = null;
let reports = [];

/* All that a developer would see in red: console, exceptions, requests that failed, the policy's reports, dialogs. */
function watch() {
	page.on("console", (message) => {
		if (["error", "warn", "assert"].includes(message.type()))
			reports.push(`console: ${message.text()}`);
	});
	page.on("pageerror", (error) => reports.push(`exception: ${error.message}`));
	page.on("requestfailed", (request) => reports.push(`request: ${request.url()}: ${request.failure().errorText}`));
	page.on("response", (response) => {
		if (response.status() >= 400)
			reports.push(`response: ${response.url()}: ${response.status()}`);
	});
	page.on("dialog", (dialog) => {
		reports.push(`dialog: ${dialog.message()}`);
		void dialog.dismiss();
	});
}

function watchPolicy() {
	document.addEventListener("securitypolicyviolation",
		(event) => console.error(`policy: ${event.violatedDirective}: ${event.blockedURI}`));
}

const commands = {
	async open({ url, width = 1280, height = 900, scheme = "light", scripts = true, login = null }) {
		await page?.close();
		page = await browser.newPage();
		reports = [];
		watch();
		await page.setJavaScriptEnabled(scripts);
		await page.evaluateOnNewDocument(watchPolicy);
		await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: scheme }]);
		await page.setViewport({ width, height });
		if (login)
			await page.authenticate(login);
		return (await page.goto(url, { waitUntil: "load" })).status();
	},
	async evaluate({ code }) {
		return (await page.evaluate(code)) ?? null;
	},
	async wait({ code, ms }) {
		await page.waitForFunction(code, { timeout: ms, polling: 50 });
		return true;
	},
	async press({ key }) {
		await page.keyboard.press(key);
		return true;
	},
	async axe() {
		await page.evaluate(axe);
		const { violations } = await page.evaluate("axe.run()");
		return violations.map(({ id, help, nodes }) => `${id}: ${help}: ${nodes.map((node) => node.html).join(" ")}`);
	},
	async screenshot({ path, full = true }) {
		await page.screenshot({ path, fullPage: full });
		return true;
	},
	async reports() {
		return reports;
	},
};

for await (const line of createInterface({ input: process.stdin })) {
	const { command, ...options } = JSON.parse(line);
	let answer;
	try {
		answer = { result: await commands[command](options) };
	} catch (error) {
		answer = { error: error.message };
	}
	process.stdout.write(`${JSON.stringify(answer)}\n`);
}
await browser.close();
