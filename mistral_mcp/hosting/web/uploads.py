"""The upload page of `hosting`, in the design of its other pages and in the person's language."""

from collections.abc import Sequence
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

from mistral_mcp.errors import MistralMcpError
from mistral_mcp.hosting.web.pages.problems import describe
from mistral_mcp.hosting.web.pages.rendering import Renderer, language_of
from mistral_mcp.http.uploads.file_reception import UPLOAD_PAGE_HEADERS, FileReception
from mistral_mcp.upload_links import MOST_FILES, UploadedFile


@dataclass(frozen=True)
class UploadPages(FileReception):
    renderer: Renderer

    def render(
        self,
        request: Request,
        status: int,
        *,
        files: Sequence[UploadedFile] = (),
        problem: str = "",
        ended: bool = False,
    ) -> Response:
        return self.renderer.render(
            request,
            "upload.html",
            status,
            UPLOAD_PAGE_HEADERS,
            files=files,
            problem=problem,
            ended=ended,
            path=f"/uploads/{request.path_params['handle']}",
            most=MOST_FILES,
        )

    def describe(self, request: Request, error: MistralMcpError) -> str:
        return describe(error, language_of(request))
