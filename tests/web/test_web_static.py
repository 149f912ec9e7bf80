"""The files that browsers get: pinned, small, readable, and with nothing that a strict policy forbids."""

from __future__ import annotations

import gzip
import hashlib
import json
import re
from pathlib import Path

import pytest

from outlive.web import render

STATIC = render.STATIC
TEMPLATES = render.HERE / "templates"
CSS = (STATIC / "css/tokens.css").read_text()


def compressed(*paths: Path) -> int:
    return sum(len(gzip.compress(path.read_bytes(), 9)) for path in paths)


def test_vendored_files_are_what_the_manifest_says() -> None:
    vendor = STATIC / "vendor"
    manifest = json.loads((vendor / "manifest.json").read_text())
    pinned = {name: file["sha256"] for package in manifest["packages"] for name, file in package["files"].items()}
    found = {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in vendor.iterdir()
        if path.name != "manifest.json"
    }
    assert found == pinned
    for package in manifest["packages"]:
        assert package["licence"]
        assert (vendor / package["licence_file"]).is_file()


def test_scripts_and_styles_stay_small() -> None:
    assert compressed(*STATIC.rglob("*.js")) <= 60_000
    assert compressed(*STATIC.rglob("*.css")) <= 20_000


def test_no_template_has_inline_script_or_style() -> None:
    templates = list(TEMPLATES.rglob("*.html"))
    assert len(templates) > 10
    for path in templates:
        markup = path.read_text()
        assert not re.search(r"<script(?![^>]*\bsrc=)", markup), path
        assert not re.search(r"<style|\sstyle=|\son\w+=|hx-on|javascript:|\|\s*safe\b", markup), path


def test_the_version_of_the_files_follows_their_content() -> None:
    assert re.fullmatch(r"[0-9a-f]{12}", render.static_version())
    assert render.static_version() == render.static_version()


def tokens(block: str) -> dict[str, str]:
    return dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", block))


def luminance(colour: str) -> float:
    channels = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


LIGHT = tokens(CSS.split("@media", 1)[0])
DARK = tokens(CSS.split(":root[data-theme=dark]", 1)[1].split("}", 1)[0])
STATUSES = ["running", "completed", "failed", "canceled", "terminated", "continued", "timedout", "quiet"]
TEXT_ON = [
    *[(text, ground) for text in ("text", "muted", "accent") for ground in ("page", "surface", "sunken")],
    *[(status, f"{status}-bg") for status in STATUSES],
    *[(status, "surface") for status in STATUSES],
    *[("text", f"{status}-bg") for status in STATUSES],
    *[(name, "sunken") for name in ("j-key", "j-string", "j-number", "j-word")],
    ("on-accent", "accent"),
    ("accent", "running-bg"),
    ("muted", "quiet-bg"),
]


@pytest.mark.parametrize("theme", [LIGHT, DARK], ids=["light", "dark"])
@pytest.mark.parametrize(("text", "ground"), TEXT_ON)
def test_text_has_contrast_enough(theme: dict[str, str], text: str, ground: str) -> None:
    assert contrast(theme[text], theme[ground]) >= 4.5


@pytest.mark.parametrize("theme", [LIGHT, DARK], ids=["light", "dark"])
@pytest.mark.parametrize(("part", "ground"), [("line-strong", "surface"), ("line-strong", "page"), ("focus", "page")])
def test_edges_of_controls_have_contrast_enough(theme: dict[str, str], part: str, ground: str) -> None:
    assert contrast(theme[part], theme[ground]) >= 3


def test_dark_by_the_system_and_dark_by_choice_are_the_same() -> None:
    by_system = tokens(CSS.split("prefers-color-scheme: dark", 1)[1].split("\n}", 1)[0])
    assert by_system == DARK
    assert by_system.keys() == LIGHT.keys()
