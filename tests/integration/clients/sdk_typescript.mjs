/* Carries out a plan with the official TypeScript SDK, major version 1 or, where the plan says `major: 2`, 2.
 *
 * The plan comes as JSON on standard input, what happened goes as JSON to standard output, as in
 * sdk_python.py; sdk.py has both sides. Version 1 is loaded from MCP_FLEET_ENVS/node, version 2 from
 * MCP_FLEET_ENVS/servers. */

import { createRequire } from "node:module";
import { readFileSync } from "node:fs";

const plan = JSON.parse(readFileSync(0, "utf8"));
const sdk = plan.major === 2 ? loadVersion2() : loadVersion1();

function loadVersion1() {
	const folder = `${process.env.MCP_FLEET_ENVS}/node/`;
	const require = createRequire(folder);
	return {
		...require("@modelcontextprotocol/sdk/client/index.js"),
		...require("@modelcontextprotocol/sdk/client/sse.js"),
		...require("@modelcontextprotocol/sdk/client/stdio.js"),
		...require("@modelcontextprotocol/sdk/client/streamableHttp.js"),
		manifest: `${folder}node_modules/@modelcontextprotocol/sdk/package.json`,
	};
}

function loadVersion2() {
	const folder = `${process.env.MCP_FLEET_ENVS}/servers/`;
	const require = createRequire(folder);
	return {
		...require("@modelcontextprotocol/client"),
		...require("@modelcontextprotocol/client/stdio"),
		manifest: `${folder}node_modules/@modelcontextprotocol/client/package.json`,
	};
}

const sleep = (seconds) => new Promise((resolve) => setTimeout(resolve, seconds * 1000));

function makeTransport({ sse, http, stdio }) {
	if (sse) return new sdk.SSEClientTransport(new URL(sse));
	if (http) return new sdk.StreamableHTTPClientTransport(new URL(http));
	return new sdk.StdioClientTransport(stdio);
}

/* `era`: legacy, auto, or the modern revision that it must be (version 2 only). */
async function connect(plan) {
	const { era } = plan;
	const mode = era === "legacy" || era === "auto" ? era : { pin: era };
	const client = new sdk.Client({ name: "integration-test", version: "1" }, era ? { versionNegotiation: { mode } } : {});
	const transport = makeTransport(plan.transport);
	const tell = transport.setProtocolVersion?.bind(transport);
	transport.setProtocolVersion = (revision) => {
		client.revision = revision;
		tell?.(revision);
	};
	await client.connect(transport);
	deliverSingly(transport);
	return client;
}

/* Hands the SDK each message in a turn of its own. It puts a notification off to the end of the turn but takes an answer at
 * once, and forgets who wants the progress: the last progress is lost when both come in one read. */
function deliverSingly(transport) {
	const deliver = transport.onmessage;
	let before = Promise.resolve();
	const turn = () => new Promise((resolve) => setImmediate(resolve));
	transport.onmessage = (...args) => {
		before = before.then(turn).then(() => deliver.apply(transport, args));
	};
}

async function call(client, tool, args, options) {
	const request = { name: tool, arguments: args };
	try {
		if (plan.major === 2) return { result: await client.callTool(request, options) };
		return { result: await client.callTool(request, undefined, options) };
	} catch (error) {
		return { raised: String(error) };
	}
}

async function runCalls(plan) {
	const client = await connect(plan);
	const { tools } = await client.listTools();
	const results = [];
	for (const step of plan.calls) results.push(await call(client, step.tool, step.arguments));
	const server = { serverInfo: client.getServerVersion(), capabilities: client.getServerCapabilities() };
	await client.close();
	return { server, tools, results };
}

async function runProgress(plan) {
	const seen = [];
	const client = await connect(plan);
	const onprogress = ({ progress, total, message }) => seen.push([progress, total, message]);
	const answer = await call(client, plan.tool, plan.arguments, { onprogress });
	await client.close();
	return { answer, progress: seen };
}

async function runCancel(plan) {
	const client = await connect(plan);
	const abort = new AbortController();
	const pending = call(client, plan.tool, plan.arguments, { signal: abort.signal });
	await sleep(plan.after);
	abort.abort("enough");
	const answer = await pending;
	const begin = Date.now();
	const then = await call(client, plan.then, {});
	const seconds = (Date.now() - begin) / 1000;
	await client.close();
	return { gave_up: "raised" in answer, then, seconds };
}

/* What a client does on a first visit: the list, calls, one of them with progress. */
async function runTour(plan) {
	const seen = [];
	const client = await connect(plan);
	const { tools } = await client.listTools();
	const answers = [];
	for (const step of plan.calls) answers.push(await call(client, step.tool, step.arguments));
	const onprogress = ({ progress, total, message }) => seen.push([progress, total, message]);
	const steps = await call(client, plan.steps, { count: 3 }, { onprogress });
	const revision = client.getNegotiatedProtocolVersion?.() ?? client.revision;
	await client.close();
	return { revision, tools, answers, steps, progress: seen };
}

async function runMany(plan) {
	const wrong = [];
	async function one(index) {
		try {
			const client = await connect(plan);
			for (let turn = 0; turn < plan.turns; turn++) {
				const text = `client-${index}-turn-${turn}`;
				const result = await client.callTool({ name: plan.tool, arguments: { text } });
				if (!result.content[0].text.toUpperCase().includes(text.toUpperCase())) wrong.push([text, result]);
			}
			await client.close();
		} catch (error) {
			wrong.push([`client-${index}`, String(error)]);
		}
	}
	await Promise.all(Array.from({ length: plan.clients }, (_, index) => one(index)));
	return { wrong };
}

const scenarios = { calls: runCalls, progress: runProgress, cancel: runCancel, many: runMany, tour: runTour };
const outcome = await scenarios[plan.scenario](plan);
process.stdout.write(JSON.stringify({ sdk: JSON.parse(readFileSync(sdk.manifest, "utf8")).version, ...outcome }), () =>
	process.exit(0),
);
