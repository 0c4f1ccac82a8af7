"""Print the requirements in pyproject.toml: to build and run, including hosting; with `dev`, also to develop."""

import sys
import tomllib
from pathlib import Path

pyproject = tomllib.loads(Path("pyproject.toml").read_text(encoding="utf-8"))
project = pyproject["project"]
print(*pyproject["build-system"]["requires"], sep="\n")
print(*project["dependencies"], *project["optional-dependencies"]["hosting"], sep="\n")
if "dev" in sys.argv[1:]:
    print(*pyproject["dependency-groups"]["dev"], sep="\n")
