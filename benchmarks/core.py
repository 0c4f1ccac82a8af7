"""`mistral-mcp serve` as it is without the extra `hosting`: no vault, no pages, callers with keys of their own."""

import os
import sys

import uvicorn

from mistral_mcp.cli import settings_from
from mistral_mcp.http import Front, create_app

if __name__ == "__main__":
    app = create_app(settings_from(os.environ, {}))
    uvicorn.run(app, port=int(sys.argv[1]), http=Front, log_level="error", access_log=False, timeout_keep_alive=75)
