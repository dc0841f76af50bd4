/* A server of the official TypeScript SDK, for the profile `node`: what such servers usually do.
 * The SDK is loaded from the folder that is named by the first argument. */

import { execFile } from "node:child_process";
import { readFile, rename, writeFile } from "node:fs/promises";
import { get as httpGet } from "node:http";
import { createRequire } from "node:module";
import { promisify } from "node:util";
import { Worker } from "node:worker_threads";
import { gzip } from "node:zlib";

const require = createRequire(`${process.argv[2]}/`);
const { Server } = require("@modelcontextprotocol/sdk/server/index.js");
const { StdioServerTransport } = require("@modelcontextprotocol/sdk/server/stdio.js");
const { CallToolRequestSchema, ListToolsRequestSchema } = require("@modelcontextprotocol/sdk/types.js");

const run = promisify(execFile);

/* A thread of its own, and one of the pool. */
async function work() {
	const text = await new Promise((resolve, reject) => {
		const worker = new Worker('require("node:worker_threads").parentPort.postMessage("42")', { eval: true });
		worker.on("message", resolve);
		worker.on("error", reject);
	});
	await promisify(gzip)("x".repeat(1000));
	return `${text} ${process.memoryUsage().rss > 0}`;
}

function get(url) {
	return new Promise((resolve, reject) => {
		httpGet(url, (answer) => {
			let body = "";
			answer.on("data", (data) => (body += data)).on("end", () => resolve(body));
		}).on("error", reject);
	});
}

const tools = {
	add: ({ a, b }) => String(a + b),
	read: ({ path }) => readFile(path, "utf8"),
	write: async ({ path, text }) => {
		await writeFile(`${path}.new`, text);
		await rename(`${path}.new`, path);
		return "written";
	},
	run: async ({ command: [program, ...args] }) => (await run(program, args)).stdout,
	run_self: async () => (await run(process.execPath, ["-p", "6 * 7"])).stdout,
	work,
	get: ({ url }) => get(url),
};

const server = new Server({ name: "sdk-server", version: "1" }, { capabilities: { tools: {} } });

server.setRequestHandler(ListToolsRequestSchema, () => ({
	tools: Object.keys(tools).map((name) => ({ name, description: name, inputSchema: { type: "object" } })),
}));
server.setRequestHandler(CallToolRequestSchema, async ({ params }) => {
	try {
		return { content: [{ type: "text", text: await tools[params.name](params.arguments ?? {}) }] };
	} catch (error) {
		return { content: [{ type: "text", text: String(error) }], isError: true };
	}
});
await server.connect(new StdioServerTransport());
