"""Results of a conversation at Mistral: the answer, calls, executions, files, images and sources."""

import json

from pydantic import BaseModel, Field, JsonValue

from mistral_mcp.json_schema import CallerSchema, find_errors, json_in, parse_json
from mistral_mcp.mistral.api.content import Chunk
from mistral_mcp.mistral.api.conversations import ConversationReply, Entry
from mistral_mcp.tools.framework.kept import Kept, KeptResults
from mistral_mcp.tools.framework.request import Mistral
from mistral_mcp.tools.framework.results import Maybe, MaybeJson, Result, Usage, usage_of

BRIEF = 300
"""Characters of a Mistral tool's input."""
OUTPUT = 10_000
"""Characters of a Mistral tool's output; mistral_get_conversation has the whole."""


class Call(BaseModel):
    """A function for the caller to run, or a tool at Mistral that waits for a confirmation."""

    id: str
    name: str
    arguments: dict[str, JsonValue] | None = Field(description="null where it was no JSON object")
    confirmation_status: Maybe[str] = None

    @classmethod
    def of(cls, entry: Entry) -> "Call":
        return cls(
            id=entry.tool_call_id,
            name=entry.name,
            arguments=_object_in(entry.arguments),
            confirmation_status=entry.confirmation_status,
        )

    def line(self) -> str:
        if self.confirmation_status == "pending":
            asks = "wants a confirmation for"
        else:
            asks = "calls"
        return f"{asks} {self.name}({json.dumps(self.arguments, ensure_ascii=False)}), id {self.id}"


class Execution(BaseModel):
    """A tool that Mistral ran."""

    name: str
    arguments: str
    code: Maybe[str] = None
    output: Maybe[str] = None

    @classmethod
    def of(cls, entry: Entry) -> "Execution":
        return cls(
            name=entry.name,
            arguments=_cut(arguments_text(entry), BRIEF),
            code=_cut_text(entry.info.get("code")),
            output=_cut_text(entry.info.get("code_output")),
        )

    def line(self) -> str:
        if self.output:
            output = f" -> {self.output.strip()}"
        else:
            output = ""
        return f"ran {self.name}({self.code or self.arguments}){output}"


class ProducedFile(BaseModel):
    """A file that a tool at Mistral produced; mistral_download_file gets it."""

    file_id: str
    name: Maybe[str] = None
    type: Maybe[str] = None

    @classmethod
    def of(cls, chunk: Chunk) -> "ProducedFile":
        name, kind = _text(chunk, "file_name"), _text(chunk, "file_type")
        return cls(file_id=_text(chunk, "file_id") or "", name=name, type=kind)

    def line(self) -> str:
        return f"file {self.file_id} {self.name or ''}".rstrip()


class Source(BaseModel):
    title: str
    url: Maybe[str] = None

    @classmethod
    def of(cls, chunk: Chunk) -> "Source":
        return cls(title=_text(chunk, "title") or "", url=_text(chunk, "url"))

    def line(self) -> str:
        return f"source: {self.title} {self.url or ''}".rstrip()


class ConversationUsage(Usage):
    connector_tokens: Maybe[int] = None
    connectors: Maybe[dict[str, int]] = Field(default=None, description="calls of each")


class Conversation(Result):
    """The answer to a turn, and what is needed to continue."""

    conversation_id: str
    text: str
    calls: list[Call]
    model: Maybe[str] = None
    executions: Maybe[list[Execution]] = None
    handoffs: Maybe[list[str]] = Field(default=None, description="agents it went to")
    files: Maybe[list[ProducedFile]] = None
    images: Maybe[list[str]] = Field(default=None, description="URLs, which expire")
    documents: Maybe[list[str]] = Field(default=None, description="URLs, which expire")
    sources: Maybe[list[Source]] = None
    parsed: MaybeJson = Field(default=None, description="the answer as JSON, with json_schema")
    parse_errors: Maybe[list[str]] = Field(default=None, description="how the answer breaks json_schema")
    thinking: Maybe[str] = None
    kept: Maybe[Kept] = None
    usage: ConversationUsage

    def to_text(self) -> str:
        if self.text:
            parts = [self.text]
        else:
            parts = []
        parts += [self.kept.note(len(self.text))] if self.kept else []
        parts += [f"This does not match json_schema: {'; '.join(self.parse_errors)}."] if self.parse_errors else []
        for made in (self.calls, self.executions, self.files, self.sources):
            parts += [each.line() for each in made or ()]
        parts += [f"image: {url}" for url in self.images or ()]
        parts += [f"document: {url}" for url in self.documents or ()]
        return "\n\n".join([*parts, f"(conversation_id {self.conversation_id})"])


async def conversation_of(
    mistral: Mistral,
    kept_results: KeptResults,
    reply: ConversationReply,
    model: str | None = None,
    schema: CallerSchema | None = None,
) -> Conversation:
    """The result for a reply; a long text is stored."""
    model = next((entry.model for entry in reversed(reply.outputs) if entry.model), model)
    calls = [Call.of(entry) for entry in reply.outputs if entry.type == "function.call"]
    if schema is None or calls:
        parsed, errors = (None, [])
    else:
        parsed, errors = await _parse(reply.text, schema)
    text, kept = await kept_results.keep_if_long(reply.text, filename="answer.md", mime_type="text/markdown")
    return Conversation(
        conversation_id=reply.conversation_id,
        text=text,
        calls=calls,
        model=model,
        executions=[Execution.of(entry) for entry in reply.outputs if entry.type == "tool.execution"] or None,
        handoffs=[entry.next_agent_name or "" for entry in reply.outputs if entry.type == "agent.handoff"] or None,
        files=[ProducedFile.of(chunk) for chunk in reply.chunks("tool_file")] or None,
        images=urls_in(reply.chunks("image_url"), "image_url") or None,
        documents=urls_in(reply.chunks("document_url"), "document_url") or None,
        sources=sources_of(reply) or None,
        parsed=parsed,
        parse_errors=errors or None,
        thinking=reply.thinking or None,
        kept=kept,
        usage=conversation_usage(mistral, model or "", reply),
    )


def conversation_usage(mistral: Mistral, model: str, reply: ConversationReply) -> ConversationUsage:
    usage = usage_of(mistral, model, reply.usage).model_dump()
    if reply.usage and reply.usage.connectors:
        # What a connector's call costs is not in the catalogue.
        usage |= {"connector_tokens": reply.usage.connector_tokens, "cost_usd": None}
        usage |= {"connectors": reply.usage.connectors}
    return ConversationUsage.model_validate(usage)


def sources_of(reply: ConversationReply) -> list[Source]:
    """The sources that the answer cites, each once."""
    sources = [Source.of(chunk) for chunk in reply.chunks("tool_reference")]
    return list({(source.title, source.url): source for source in sources}.values())


def urls_in(chunks: list[Chunk], member: str) -> list[str]:
    """The URLs of chunks, which are text, or objects that hold it."""
    found = [chunk.get(member) for chunk in chunks]
    urls = [url.get("url") if isinstance(url, dict) else url for url in found]
    return [url for url in urls if isinstance(url, str)]


def arguments_text(entry: Entry) -> str:
    if isinstance(entry.arguments, str):
        return entry.arguments
    return json.dumps(entry.arguments, ensure_ascii=False)


async def _parse(text: str, schema: CallerSchema) -> tuple[JsonValue, list[str]]:
    try:
        answer = json_in(text)
    except ValueError:
        return None, ["it is not JSON"]
    errors = (await find_errors(schema, answer))[:3]
    if errors:
        return (None, errors)
    return (answer, [])


def _object_in(arguments: str | dict[str, JsonValue]) -> dict[str, JsonValue] | None:
    if isinstance(arguments, dict):
        return arguments
    try:
        read = parse_json(arguments or "{}")
    except ValueError:
        return None
    if isinstance(read, dict):
        return read
    return None


def _cut(text: str, size: int) -> str:
    if len(text) <= size:
        return text
    return f"{text[: size - 1]}…"


def _cut_text(value: JsonValue) -> str | None:
    if isinstance(value, str):
        return _cut(value, OUTPUT)
    return None


def _text(chunk: Chunk, name: str) -> str | None:
    value = chunk.get(name)
    if isinstance(value, str):
        return value
    return None
