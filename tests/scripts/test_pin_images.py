"""Base images are pinned by the digests that a registry has, and renewed; a stand-in for Docker names them here."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    (tmp_path / "tree/manifests").mkdir(parents=True)
    for name in ("Dockerfile", "manifests/compose.yaml"):
        shutil.copy(ROOT / name, tmp_path / "tree" / name)
    return tmp_path / "tree"


def pin(tree: Path, digest: str) -> subprocess.CompletedProcess[str]:
    docker = tree.parent / "docker"
    docker.write_text(f"#!/bin/sh\necho {digest}\n", encoding="utf-8")
    docker.chmod(0o755)
    environment = {**os.environ, "PATH": f"{docker.parent}:{os.environ['PATH']}"}
    command = [ROOT / "scripts/pin_images.sh", tree]
    return subprocess.run(command, env=environment, check=False, capture_output=True, text=True)  # noqa: S603 - ours


def images(tree: Path) -> list[str]:
    text = (tree / "Dockerfile").read_text(encoding="utf-8") + (tree / "manifests/compose.yaml").read_text("utf-8")
    found: list[str] = re.findall(r"^(?:FROM| +image:) (\S+)", text, re.MULTILINE)
    return [image for image in found if "mistral-mcp" not in image]


def test_the_images_of_others_are_pinned_here():
    found = images(ROOT)
    assert len(found) == 5
    for image in found:
        assert re.fullmatch(r"[\w.-]+:[\w.-]+@sha256:[0-9a-f]{64}", image), image


def test_every_image_of_others_is_pinned_and_pinned_again(tree: Path):
    before = [image.partition("@")[0] for image in images(tree)]
    for digest in ("sha256:" + "a" * 64, "sha256:" + "b" * 64):
        done = pin(tree, digest)
        assert done.returncode == 0, done.stderr
        assert images(tree) == [f"{image}@{digest}" for image in before]


def test_what_is_no_digest_stops_it_and_changes_nothing(tree: Path):
    before = images(tree)
    done = pin(tree, "unknown")

    assert done.returncode == 1
    assert images(tree) == before
