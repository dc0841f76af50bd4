/* Carries out a plan with the official TypeScript SDK.
 *
 * The plan comes as JSON on standard input, what happened goes as JSON to standard output, as in
 * sdk_python.py; sdk.py has both sides. The SDK is loaded from MCP_FLEET_ENVS/node. */

import { createRequire } from "node:module";
import { readFileSync } from "node:fs";

const require = createRequire(`${process.env.MCP_FLEET_ENVS}/node/`);
const { Client } = require("@modelcontextprotocol/sdk/client/index.js");
const { SSEClientTransport } = require("@modelcontextprotocol/sdk/client/sse.js");
const { StdioClientTransport } = require("@modelcontextprotocol/sdk/client/stdio.js");
const packagePath = `${process.env.MCP_FLEET_ENVS}/node/node_modules/@modelcontextprotocol/sdk/package.json`;

const sleep = (seconds) => new Promise((resolve) => setTimeout(resolve, seconds * 1000));

async function connect(plan) {
	const { sse, stdio } = plan.transport;
	const transport = sse ? new SSEClientTransport(new URL(sse)) : new StdioClientTransport(stdio);
	const client = new Client({ name: "integration-test", version: "1" });
	await client.connect(transport);
	return client;
}

async function call(client, tool, args, options) {
	try {
		return { result: await client.callTool({ name: tool, arguments: args }, undefined, options) };
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

const scenarios = { calls: runCalls, progress: runProgress, cancel: runCancel, many: runMany };
const plan = JSON.parse(readFileSync(0, "utf8"));
const outcome = await scenarios[plan.scenario](plan);
process.stdout.write(JSON.stringify({ sdk: JSON.parse(readFileSync(packagePath, "utf8")).version, ...outcome }), () =>
	process.exit(0),
);
