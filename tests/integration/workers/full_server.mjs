/* What full_server.py offers, carried by the official TypeScript SDK.
 *
 * usage: full_server.mjs 1|2 FOLDER: the SDK's major version, and the folder with its node_modules. */

import { createRequire } from "node:module";

const [, , major, folder] = process.argv;
const require = createRequire(`${folder}/`);
const { z } = require("zod");
const { McpServer, ResourceTemplate } =
	major === "1" ? require("@modelcontextprotocol/sdk/server/mcp.js") : require("@modelcontextprotocol/server");
const { completable } =
	major === "1" ? require("@modelcontextprotocol/sdk/server/completable.js") : require("@modelcontextprotocol/server");

const names = ["Ada", "Alan", "Grace"];
const text = (value) => ({ content: [{ type: "text", text: value }] });

async function steps({ count }, extra) {
	const token = major === "1" ? extra._meta?.progressToken : extra.mcpReq._meta?.progressToken;
	const notify = major === "1" ? extra.sendNotification : extra.mcpReq.notify;
	for (let step = 1; step <= count; step++) {
		if (token !== undefined)
			await notify({
				method: "notifications/progress",
				params: { progressToken: token, progress: step, total: count, message: `step ${step}` },
			});
		if (major === "2") await extra.mcpReq.log("info", `step ${step}`);
		else await notify({ method: "notifications/message", params: { level: "info", data: `step ${step}` } });
		await new Promise((resolve) => setTimeout(resolve, 20)); // some clients lose progress that comes with the answer
	}
	return text("done");
}

const question = {
	message: "Who are you?",
	requestedSchema: { type: "object", properties: { name: { type: "string" } }, required: ["name"] },
};

async function ask(server, extra) {
	let answer;
	if (major === "1") {
		answer = await server.server.elicitInput(question);
	} else {
		const { inputRequired } = require("@modelcontextprotocol/server");
		answer = extra.mcpReq.inputResponses?.who;
		if (!answer) return inputRequired({ inputRequests: { who: inputRequired.elicit(question) } });
	}
	return text(`${answer.action} ${answer.content?.name ?? ""}`);
}

function make() {
	const server = new McpServer(
		{ name: `full-ts${major}`, version: "1" },
		{ capabilities: { logging: {} }, instructions: "For tests." },
	);
	const shape = (fields) => (major === "1" ? fields : z.object(fields));

	server.registerTool(
		"echo",
		{ description: "Gives back what it gets.", inputSchema: shape({ text: z.string() }) },
		(args) => text(args.text),
	);
	server.registerTool(
		"steps",
		{ description: "Reports progress and logs at every step.", inputSchema: shape({ count: z.number().int() }) },
		steps,
	);
	server.registerTool("ask", { description: "Asks the user for a name.", inputSchema: shape({}) }, (_, extra) =>
		ask(server, extra),
	);
	server.registerResource("note", "test://note", { description: "A note.", mimeType: "text/plain" }, (uri) => ({
		contents: [{ uri: uri.href, mimeType: "text/plain", text: "noted" }],
	}));
	server.registerResource(
		"item",
		new ResourceTemplate("test://item/{number}", { list: undefined }),
		{ description: "An item.", mimeType: "text/plain" },
		(uri, { number }) => ({ contents: [{ uri: uri.href, mimeType: "text/plain", text: `item ${number}` }] }),
	);
	server.registerPrompt(
		"greet",
		{
			description: "Greets.",
			argsSchema: shape({ name: completable(z.string(), (value) => names.filter((name) => name.startsWith(value))) }),
		},
		({ name }) => ({ messages: [{ role: "user", content: { type: "text", text: `Hello, ${name}` } }] }),
	);
	return server;
}

if (major === "1") {
	const { StdioServerTransport } = require("@modelcontextprotocol/sdk/server/stdio.js");
	await make().connect(new StdioServerTransport());
} else {
	const { serveStdio } = require("@modelcontextprotocol/server/stdio");
	serveStdio(make);
}
