"""`mistral-mcp` as it is without the extra `hosting`: no vault, no pages, callers with keys of their own."""

import sys
from types import ModuleType
from typing import cast

from mistral_mcp.cli.main import main

if __name__ == "__main__":
    sys.modules["sqlalchemy"] = cast("ModuleType", None)  # Python's way to say that it is not installed
    main()
