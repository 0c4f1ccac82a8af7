"""`mistral-mcp` without the extra `hosting`: no vault, no pages; callers send their own keys."""

import sys
from types import ModuleType
from typing import cast

from mistral_mcp.cli.main import main

if __name__ == "__main__":
    sys.modules["sqlalchemy"] = cast("ModuleType", None)  # as if it were not installed
    main()
