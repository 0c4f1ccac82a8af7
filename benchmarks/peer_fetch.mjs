// Leads calls to Mistral to the benchmarks' upstream: `node --import ./peer_fetch.mjs …`.
const upstream = process.env.BENCHMARKS_UPSTREAM;
const fetch = globalThis.fetch;

globalThis.fetch = async (input, init) => {
  const request = new Request(input, init);
  const url = new URL(request.url);
  if (url.hostname !== "api.mistral.ai") return fetch(request);
  const { method, headers, signal } = request;
  // Whole, not as a stream, which would be sent in chunks and cost the peer more than its own call does.
  const body = method === "GET" ? undefined : await request.arrayBuffer();
  return fetch(new URL(url.pathname + url.search, upstream), { method, headers, body, signal });
};
