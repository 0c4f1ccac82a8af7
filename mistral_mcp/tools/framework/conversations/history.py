"""The history of a stored conversation, one line an entry."""

import json

from pydantic import BaseModel

from mistral_mcp.mistral.api.conversations import Entry
from mistral_mcp.tools.framework.conversations.results import arguments_text, urls_in
from mistral_mcp.tools.framework.results import Maybe


class HistoryEntry(BaseModel):
    """One message, call, result, execution or handoff."""

    id: str
    type: str
    text: str
    role: Maybe[str] = None
    tool_call_id: Maybe[str] = None
    confirmation_status: Maybe[str] = None
    created_at: Maybe[str] = None

    @classmethod
    def of(cls, entry: Entry) -> "HistoryEntry":
        return cls(
            id=entry.id,
            type=entry.type,
            text=_entry_text(entry),
            role=entry.role,
            tool_call_id=entry.tool_call_id or None,
            confirmation_status=entry.confirmation_status,
            created_at=entry.created_at,
        )

    def line(self) -> str:
        return f"{self.role or self.type}: {self.text}"

    def cut(self, size: int) -> "HistoryEntry":
        if len(self.text) <= size:
            text = self.text
        else:
            text = f"{self.text[:size]}…"
        return self.model_copy(update={"text": text})


def _entry_text(entry: Entry) -> str:
    match entry.type:
        case "function.call":
            return f"{entry.name}({arguments_text(entry)})"
        case "tool.execution":
            output = entry.info.get("code_output")
            return f"{entry.name}({arguments_text(entry)})" + (f" -> {output}" if output else "")
        case "function.result":
            if isinstance(entry.result, str):
                return entry.result
            return json.dumps(entry.result, ensure_ascii=False)
        case "agent.handoff":
            return entry.next_agent_name or entry.next_agent_id or ""
        case _:
            files = [f"[file {chunk.get('file_id')}]" for chunk in entry.chunks("tool_file")]
            images = [f"[image {url}]" for url in urls_in(entry.chunks("image_url"), "image_url")]
            documents = [f"[document {url}]" for url in urls_in(entry.chunks("document_url"), "document_url")]
            return " ".join(filter(None, [entry.text, *files, *images, *documents]))
