"""The answers of a batch job, one a row."""

import json

from pydantic import BaseModel

from mistral_mcp.mistral.api.batch_results import Answer
from mistral_mcp.tools.framework.kept import shorten_text
from mistral_mcp.tools.framework.results import Maybe, MaybeJson


class Row(BaseModel):
    """The answer to one request: its text, or the body of an answer without text, or the error."""

    custom_id: str | None
    status_code: int | None
    text: Maybe[str] = None
    body: MaybeJson = None
    error: Maybe[str] = None

    @classmethod
    def of(cls, answer: Answer) -> "Row":
        row = cls(custom_id=answer.custom_id, status_code=answer.status_code, error=answer.error)
        if answer.has_succeeded:
            row.text = answer.text
        if row.text is None and row.error is None:
            row.body = answer.body
        return row

    def cut(self, room: int) -> "Row":
        """The row cut to so many characters."""
        if self.error is not None:
            return self.model_copy(update={"error": shorten_text(self.error, room)})
        if self.text is not None:
            return self.model_copy(update={"text": shorten_text(self.text, room)})
        whole = json.dumps(self.body, ensure_ascii=False)
        if len(whole) <= room:
            return self
        return self.model_copy(update={"text": shorten_text(whole, room), "body": None})

    def line(self) -> str:
        if self.error is not None:
            return f"[{self.custom_id}] FAILED: {self.error}"
        return f"[{self.custom_id}] {self.text or json.dumps(self.body, ensure_ascii=False)}"
