"""A notebook exported for others: its pictures and headings are there, and nothing that acts."""

from __future__ import annotations

import nbformat
import pytest
from nbconvert import HTMLExporter
from support.pictures import drawn
from traitlets.config import Config

from labsetup import ICMP, IP, Ether, Program
from labsetup.editor.exports import clean_html

FILTER = {"clean_html": "labsetup.editor.exports.clean_html"}


def test_a_sanitized_export_is_whole():
    run = Program("echo_reply").run(Ether() / IP() / ICMP())
    output = nbformat.v4.new_output("execute_result", drawn(run), execution_count=1)
    notebook = nbformat.v4.new_notebook(
        cells=[
            nbformat.v4.new_markdown_cell("## A heading\n\nWords, `code`, [a link](02-drop.ipynb)"),
            nbformat.v4.new_code_cell("run", outputs=[output], execution_count=1),
        ]
    )
    exporter = HTMLExporter(config=Config({"HTMLExporter": {"filters": FILTER}}))
    exporter.sanitize_html = True
    page, _ = exporter.from_notebook_node(notebook)
    assert "<h2" in page and 'href="02-drop.ipynb"' in page and "<code>code</code>" in page
    assert 'alt="echo_reply: XDP_TX' in page and "data:image/svg+xml;base64," in page
    assert "&lt;" not in page.split("<main", 1)[1].split("</main")[0]


@pytest.mark.parametrize(
    "hostile",
    [
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        '<img src="https://elsewhere.example/x.png">',
        '<img src="data:text/html;base64,PHNjcmlwdD4=">',
        '<a href="javascript:alert(1)">x</a>',
        '<a href=" data:text/html,<script>alert(1)</script>">x</a>',
        "<iframe src=x></iframe>",
        "<svg><script>alert(1)</script></svg>",
        "<form action=x><input></form>",
        '<div style="background:url(https://elsewhere.example)">x</div>',
        "<div onclick=alert(1)>x</div>",
        "<style>@import url(https://elsewhere.example)</style>",
        "<object data=x></object>",
        "<meta http-equiv=refresh content=0>",
    ],
)
def test_what_acts_is_taken_out(hostile):
    said = clean_html(hostile)
    for word in ("<script", "onerror=", "onclick=", "<iframe", "<svg", "<form", "<style", "<meta"):
        assert word not in said
    for word in ('src="https', "data:text", "javascript:", "url(", "<object"):
        assert word not in said or "&lt;" in said
