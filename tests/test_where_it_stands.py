"""The page that compares balancers: each has a source, and the same name in every table."""

from __future__ import annotations

import re

from support.host import REPO

PAGE = (REPO / "notebooks" / "where-it-stands.md").read_text()


def first_column(heading: str) -> list[str]:
    """Of a section's tables, without the lab's own rows."""
    section = PAGE.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    cells = re.findall(r"^\| ([^|]*?) \|", section, re.MULTILINE)
    return [cell for cell in cells if "here" not in cell and "front" not in cell]


def names(cells: list[str]) -> set[str]:
    plain = (re.sub(r"\[(.+?)\]\(.+?\)", r"\1", cell) for cell in cells)
    return {re.split("[,¹]", cell)[0] for cell in plain}


def test_each_balancer_has_a_source_and_there_are_as_many_as_it_says():
    compared = first_column("How a packet finds its server")
    assert all("](https://" in cell for cell in compared)
    assert len(compared) == 13
    for text in (PAGE, (REPO / "README.md").read_text()):
        assert "thirteen other" in text or "thirteen others" in text


def test_the_other_tables_have_the_same_names():
    compared = names(first_column("How a packet finds its server"))
    assert names(first_column("There and back")) == compared
    assert names(first_column("Who is well, and who is strong")) <= compared
