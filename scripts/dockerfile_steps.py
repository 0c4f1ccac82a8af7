"""Execute the Dockerfile's steps without Docker: as root, in copies of a Debian root that replaces the base image.

debootstrap --variant=minbase --include=python3,python3-venv,ca-certificates trixie BASE
python scripts/dockerfile_steps.py BASE WORK    # writes the last stage to WORK/root, and how to run it to WORK/run.json

It supports the instructions that our Dockerfile uses, stops at any other, and caches nothing. It shows that the steps work on
that Debian; it does not test the base image itself, its platform or the defaults of a container engine.
"""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
NETWORK_VARIABLES = (
    "PIP_",
    "SSL_CERT_FILE",
    "REQUESTS_CA_BUNDLE",
)  # this machine's settings for package registries


def instructions(text: str) -> list[tuple[str, str]]:
    """The name and the arguments of each instruction, with continued lines joined."""
    text = re.sub(r"(?m)^#.*\n", "", text).replace("\\\n", " ")
    return [(line.split(maxsplit=1)[0], line.split(maxsplit=1)[1]) for line in text.splitlines() if line.strip()]


def shell(root: Path, environment: dict[str, str], folder: str, command: str, user: str = "0:0") -> None:
    print(f"--- RUN {command}", flush=True)
    network = {name: value for name, value in os.environ.items() if name.startswith(NETWORK_VARIABLES)}
    inside = [
        "chroot",
        f"--userspec={user}",
        str(root),
        "/bin/sh",
        "-ec",
        f"cd {shlex.quote(folder)} && {command}",
    ]
    subprocess.run(inside, env=network | environment, check=True)  # noqa: S603


def copy_base(base: Path, root: Path) -> None:
    """Copy the base, and add the command `python` and this machine's network configuration."""
    if root.exists():
        shutil.rmtree(root)
    subprocess.run(["cp", "-a", str(base), str(root)], check=True)  # noqa: S603, S607
    (root / "usr/local/bin/python").symlink_to("/usr/bin/python3")
    for name in ("etc/resolv.conf", "etc/hosts", "etc/ssl/certs/ca-certificates.crt"):
        shutil.copy(f"/{name}", root / name)
    for device in ("null", "zero", "random", "urandom"):
        (root / "dev" / device).unlink(missing_ok=True)
        info = Path("/dev", device).stat()
        os.mknod(root / "dev" / device, info.st_mode, info.st_rdev)


def copy_files(rest: str, root: Path, stages: dict[str, Path], folder: str) -> None:
    *sources, target = [part for part in rest.split() if not part.startswith("--")]
    context = next((stages[part[7:]] for part in rest.split() if part.startswith("--from=")), ROOT)
    into = root / Path(folder, target).relative_to("/")
    for source in sources:
        found = context / source.lstrip("/")
        last = into / found.name if target.endswith("/") else into
        last.parent.mkdir(parents=True, exist_ok=True)
        if found.is_dir():
            shutil.copytree(
                found, last, symlinks=True, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__")
            )
        else:
            shutil.copy(found, last)


def build(base: Path, work: Path) -> None:
    stages: dict[str, Path] = {}
    run: dict[str, object] = {}
    root, environment, folder, user = work, {}, "/", "0:0"
    for name, rest in instructions((ROOT / "Dockerfile").read_text(encoding="utf-8")):
        print(f"=== {name} {rest}", flush=True)
        if name == "FROM":
            root, folder, user = work / f"stage-{len(stages)}", "/", "0:0"
            environment = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root"}
            stages[rest.partition(" AS ")[2] or "last"] = root
            copy_base(base, root)
        elif name == "ENV":
            pairs = (pair.partition("=") for pair in shlex.split(rest))
            environment |= {key: value.replace("${PATH}", environment["PATH"]) for key, _, value in pairs}
        elif name == "WORKDIR":
            folder = rest
            (root / folder.lstrip("/")).mkdir(parents=True, exist_ok=True)
        elif name == "RUN":
            shell(root, environment, folder, rest, user)
        elif name == "COPY":
            copy_files(rest, root, stages, folder)
        elif name == "USER":
            user = rest
        elif name in {"ENTRYPOINT", "CMD", "HEALTHCHECK", "LABEL", "EXPOSE", "VOLUME"}:
            run[name.lower()] = json.loads(rest[rest.index("[") :]) if "[" in rest else rest
        else:
            sys.exit(f"{name} is not supported.")
    last = work / "root"
    if last.exists():
        shutil.rmtree(last)
    stages["last"].rename(last)
    run |= {"environment": environment, "user": user, "folder": folder}
    (work / "run.json").write_text(json.dumps(run, indent=2), encoding="utf-8")


if __name__ == "__main__":
    build(Path(sys.argv[1]), Path(sys.argv[2]))
