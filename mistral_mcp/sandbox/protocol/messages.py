"""The messages, content chunks and tools of requests. All reject unknown keys, except in a tool's own schema."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import Field

from mistral_mcp.sandbox.protocol.strict import Strict


class TextChunk(Strict):
    type: Literal["text"] = "text"
    text: str


class ImageURL(Strict):
    url: str
    detail: Literal["low", "auto", "high"] | None = None


class ImageURLChunk(Strict):
    type: Literal["image_url"] = "image_url"
    image_url: ImageURL | str

    @property
    def url(self) -> str:
        if isinstance(self.image_url, str):
            return self.image_url
        return self.image_url.url


class DocumentURLChunk(Strict):
    type: Literal["document_url"] = "document_url"
    document_url: str
    document_name: str | None = None


class FileChunk(Strict):
    type: Literal["file"] = "file"
    file_id: Annotated[str, Field(pattern=r"(?i)^[0-9a-f]{8}-?([0-9a-f]{4}-?){3}[0-9a-f]{12}$")]


class AudioChunk(Strict):
    type: Literal["input_audio"] = "input_audio"
    input_audio: str


class ReferenceChunk(Strict):
    type: Literal["reference"] = "reference"
    reference_ids: list[int | str]


class ToolReferenceChunk(Strict):
    type: Literal["tool_reference"] = "tool_reference"
    tool: str
    title: str
    url: str | None = None
    favicon: str | None = None
    description: str | None = None


class ThinkChunk(Strict):
    type: Literal["thinking"] = "thinking"
    thinking: list[TextChunk | ToolReferenceChunk | ReferenceChunk]
    signature: str | None = None
    closed: bool = True


class ResourceChunk(Strict):
    type: Literal["resource"] = "resource"
    uri: str
    content: Annotated[TextChunk | ImageURLChunk, Field(discriminator="type")]


class ResourceLinkChunk(Strict):
    type: Literal["resource_link"] = "resource_link"
    uri: str
    metadata: dict[str, Any] | None = None


ContentChunk = Annotated[
    TextChunk
    | ImageURLChunk
    | DocumentURLChunk
    | FileChunk
    | AudioChunk
    | ReferenceChunk
    | ThinkChunk
    | ResourceChunk
    | ResourceLinkChunk,
    Field(discriminator="type"),
]


class FunctionCall(Strict):
    name: str
    arguments: dict[str, Any] | str


class ToolCall(Strict):
    id: str = "null"
    type: Literal["function"] = "function"
    function: FunctionCall
    index: int = 0


class SystemMessage(Strict):
    role: Literal["system"]
    content: str | list[Annotated[TextChunk | ThinkChunk, Field(discriminator="type")]]


class UserMessage(Strict):
    role: Literal["user"]
    content: str | list[ContentChunk] | None


class AssistantMessage(Strict):
    role: Literal["assistant"]
    content: str | list[ContentChunk] | None = None
    tool_calls: list[ToolCall] | None = None
    prefix: bool = False


class ToolMessage(Strict):
    role: Literal["tool"]
    content: str | list[ContentChunk] | None
    tool_call_id: str | None = None
    name: str | None = None


Message = Annotated[SystemMessage | UserMessage | AssistantMessage | ToolMessage, Field(discriminator="role")]


class Function(Strict):
    name: str
    description: str = ""
    strict: bool = False
    parameters: dict[str, Any]


class FunctionTool(Strict):
    type: Literal["function"] = "function"
    function: Function


class ToolConfiguration(Strict):
    exclude: list[str] | None = None
    include: list[str] | None = None
    requires_confirmation: list[str] | None = None


class ImageGenerationTool(Strict):
    type: Literal["image_generation"]
    tool_configuration: ToolConfiguration | None = None


class DocumentLibraryTool(Strict):
    type: Literal["document_library"]
    library_ids: Annotated[list[str], Field(min_length=1)]
    tool_configuration: ToolConfiguration | None = None


class ConnectorTool(Strict):
    type: Literal["connector"]
    connector_id: str
    authorization: dict[str, Any] | None = None
    tool_configuration: ToolConfiguration | None = None


Tool = Annotated[
    FunctionTool | ImageGenerationTool | DocumentLibraryTool | ConnectorTool, Field(discriminator="type")
]


class FunctionName(Strict):
    name: str


class ToolChoice(Strict):
    type: Literal["function"] = "function"
    function: FunctionName


class JsonSchema(Strict):
    name: str
    description: str | None = None
    schema_: Annotated[dict[str, Any], Field(alias="schema")]
    strict: bool = False


class ResponseFormat(Strict):
    type: Literal["text", "json_object", "json_schema"] = "text"
    json_schema: JsonSchema | None = None


def text_of(content: str | Sequence[object] | None) -> str:
    """The text in a message's content, without images, audio and thinking."""
    if content is None or isinstance(content, str):
        return content or ""

    texts: list[str] = []
    for chunk in content:
        inner = chunk
        if isinstance(chunk, ResourceChunk):
            inner = chunk.content
        if isinstance(inner, TextChunk):
            texts.append(inner.text)
    return "\n".join(texts)
