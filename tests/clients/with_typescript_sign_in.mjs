// A client of the TypeScript SDK that signs in: a call, and another for which it must refresh its token; prints the tools.
// Its packages are where NODE_MODULES says; BROWSER opens the consent page.
import { spawn } from "node:child_process";
import { createServer } from "node:http";
import { createRequire } from "node:module";

const require = createRequire(process.env.NODE_MODULES + "/");
const [major, url, clientMetadataUrl, tool, args] = process.argv.slice(2).map((argument) => JSON.parse(argument));

const { Client } = major === 1 ? require("@modelcontextprotocol/sdk/client/index.js") : require("@modelcontextprotocol/client");
const { StreamableHTTPClientTransport } =
    major === 1 ? require("@modelcontextprotocol/sdk/client/streamableHttp.js") : require("@modelcontextprotocol/client");

let cameBack;
const callback = new Promise((resolve) => (cameBack = resolve));
const server = createServer((request, response) => {
    const { pathname, searchParams } = new URL(request.url, "http://127.0.0.1");
    if (pathname === "/callback") cameBack(searchParams);
    response.end("Back in the client");
});
await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
const redirectUrl = `http://127.0.0.1:${server.address().port}/callback`;

const kept = {};
const authProvider = {
    redirectUrl,
    clientMetadataUrl: clientMetadataUrl ?? undefined,
    clientMetadata: { client_name: "TypeScript SDK", redirect_uris: [redirectUrl], token_endpoint_auth_method: "none" },
    state: () => "a-state",
    clientInformation: () => kept.client,
    saveClientInformation: (client) => void (kept.client = client),
    tokens: () => kept.tokens,
    saveTokens: (tokens) => void (kept.tokens = tokens),
    codeVerifier: () => kept.verifier,
    saveCodeVerifier: (verifier) => void (kept.verifier = verifier),
    redirectToAuthorization: (to) => void spawn(process.env.BROWSER, [to.href], { stdio: "ignore" }),
};

const about = [{ name: "check", version: "1" }, { versionNegotiation: { mode: "auto" } }];
const transport = () => new StreamableHTTPClientTransport(new URL(url), { authProvider });

const first = transport();
await new Client(...about).connect(first).then(
    () => { throw new Error("it was let in without a token"); },
    (error) => { if (!/unauthorized/i.test(`${error.name} ${error.message} ${error.constructor.name}`)) throw error; },
);
const query = await callback;
if (query.get("state") !== "a-state") throw new Error("another state came back");
await first.finishAuth(major === 1 ? query.get("code") : query);

const client = new Client(...about);
await client.connect(transport());
const { tools } = await client.listTools();
await client.callTool({ name: tool, arguments: args });
await client.callTool({ name: tool, arguments: args });
await client.close();
server.close();
server.closeAllConnections();
console.log(JSON.stringify({ tools: tools.map((each) => each.name) }));
