"""Documents that are on every machine: the descriptions of installed packages."""

from __future__ import annotations

from importlib import metadata
from pathlib import Path

from examples.research_pipeline.documents.loaders import read_local
from examples.research_pipeline.documents.sources import Kind, Source, discover
from outlive.ai.documents import Unreadable


def test_files_pages_and_packages_are_told_apart(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text("x")
    found = discover([str(tmp_path), str(tmp_path / "a.md"), "https://example.org/page"])
    assert found == [Source(Kind.FILE, str(tmp_path / "a.md")), Source(Kind.URL, "https://example.org/page")]


def test_dozens_of_real_documents_are_on_every_machine() -> None:
    sources = discover(["packages"])
    titles = set()
    for source in sources:
        try:
            titles.add(read_local(source).title)
        except Unreadable:
            continue
    assert len(titles) >= 24
    assert f"pytest {metadata.version('pytest')}" in titles


def test_a_package_links_to_its_pages_and_brings_no_licence_file() -> None:
    document = read_local(Source(Kind.PACKAGE, "pytest"))
    assert document.uri.startswith("https://")
    assert "Permission is hereby granted" not in document.text
