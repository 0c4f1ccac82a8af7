// A client of the TypeScript SDK: lists the tools and calls one; prints both as JSON.
// Its packages are where NODE_MODULES says, not beside this file.
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";

const require = createRequire(process.env.NODE_MODULES + "/");
const [major, server, tool, args] = process.argv.slice(2).map((argument) => JSON.parse(argument));

const { Client } = major === 1 ? require("@modelcontextprotocol/sdk/client/index.js") : require("@modelcontextprotocol/client");
const { StdioClientTransport } =
    major === 1 ? require("@modelcontextprotocol/sdk/client/stdio.js") : require("@modelcontextprotocol/client/stdio");
const { StreamableHTTPClientTransport } =
    major === 1 ? require("@modelcontextprotocol/sdk/client/streamableHttp.js") : require("@modelcontextprotocol/client");

const client = new Client({ name: "check", version: "1" }, { versionNegotiation: { mode: "auto" } });
await client.connect(
    server.url
        ? new StreamableHTTPClientTransport(new URL(server.url), { requestInit: { headers: server.headers ?? {} } })
        : new StdioClientTransport(server),
);
const { tools } = await client.listTools();
const result = await client.callTool({ name: tool, arguments: args });
const embedded = await client.callTool({ name: "mistral_embed", arguments: { inputs: ["a", "b"], output: "link" } });
await client.close();
const { kept } = embedded.structuredContent;
const whole = kept.url ? await (await fetch(kept.url)).arrayBuffer() : await readFile(kept.path);
if (whole.byteLength !== kept.bytes) throw new Error(`of a kept result of ${kept.bytes} bytes it got ${whole.byteLength}`);
console.log(JSON.stringify({ tools: tools.map((each) => each.name), text: result.content[0].text }));
