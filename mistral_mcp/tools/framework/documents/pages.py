"""A page of a document in results."""

from pydantic import BaseModel, JsonValue

from mistral_mcp.mistral.api import ocr
from mistral_mcp.tools.framework.results import Maybe


class OcrPage(BaseModel):
    """One page; the markdown refers to figures by name."""

    index: int
    markdown: str
    confidence: Maybe[ocr.Confidence] = None
    header: Maybe[str] = None
    footer: Maybe[str] = None
    blocks: Maybe[list[dict[str, JsonValue]]] = None

    @classmethod
    def of(cls, page: ocr.Page) -> "OcrPage":
        return cls(
            index=page.index,
            markdown=_markdown(page),
            confidence=page.confidence_scores,
            header=page.header,
            footer=page.footer,
            blocks=page.blocks,
        )

    @property
    def size(self) -> int:
        return len(self.model_dump_json())

    def text(self) -> str:
        parts = [f"--- page {self.index} ---", self.header, self.markdown, self.footer]
        return "\n".join(part for part in parts if part)


def _markdown(page: ocr.Page) -> str:
    """The page with its tables in place: with `table_format`, Mistral sends them separately."""
    text = page.markdown
    for table in page.tables or ():
        text = text.replace(f"[{table.id}]({table.id})", table.content)
    return text
