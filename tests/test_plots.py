"""What matplotlib draws, as an image that any page can show."""

from __future__ import annotations

import re
from typing import Any

import pytest
from nbval.plugin import get_sanitize_patterns
from support.host import REPO
from support.pictures import drawn, svg

from labsetup import SERIES, plot
from labsetup.plots.plots import Picture, inside
from labsetup.plots.style import HATCHES, MARKS, SIGNS


def bars(height: float = 3) -> Picture:
    def draw(axes: Any) -> None:
        axes.bar_label(axes.bar(["one", "two"], [1.2345, height], label="<bars>"))
        axes.set_xlabel("names & numbers")
        axes.plot([0, 1], [0, height], ":", color="gray")
        axes.legend()

    return plot(draw, f"one 1.2, two {height}")


def lightness(colour: str) -> float:
    """WCAG 2.2, relative luminance."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    r, g, b = (x / 12.92 if x <= 0.04045 else ((x + 0.055) / 1.055) ** 2.4 for x in parts)
    return 0.2126 * r + 0.7152 * g + 0.0722 * b


def contrast(one: str, other: str) -> float:
    low, high = sorted((lightness(one), lightness(other)))
    return (high + 0.05) / (low + 0.05)


def schemes(drawing: str) -> list[dict[str, str]]:
    """The colours of each scheme, by name."""
    blocks = re.findall(r"svg\{([^}]*)\}", drawing)
    return [dict(re.findall(r"--(\w+):(#\w+)", block)) for block in blocks]


def six_digits(colour: str) -> str:
    return colour if len(colour) == 7 else "#" + "".join(2 * digit for digit in colour[1:])


def test_a_plot_is_an_image_with_words():
    bundle = drawn(bars())
    assert bundle["text/plain"] == "plot: one 1.2, two 3"
    assert 'alt="plot: one 1.2, two 3"' in bundle["text/html"] and "image/png" not in bundle
    drawing = svg(bundle)
    for words in ("one", "two", "1.2345", "names &amp; numbers", "&lt;bars&gt;"):
        assert f">{words}</text>" in drawing  # text, which the page's own font shows
    assert len(drawing) < 12_000
    assert svg(drawn(bars())) == drawing


def test_its_text_is_readable_in_both_schemes():
    drawing = svg(drawn(bars()))
    texts = re.findall(r'<text style="[^"]*fill: ([^";]+)', drawing)
    assert len(texts) == len(re.findall("<text", drawing)) and set(texts) == {"var(--ink)"}
    light, dark = schemes(drawing)
    for scheme in (light, dark):
        ink, ground = (six_digits(scheme[name]) for name in ("ink", "ground"))
        assert contrast(ink, ground) >= 4.5
        for colour in (*SERIES, six_digits(scheme["faint"])):
            assert contrast(colour, ground) >= 3, colour  # WCAG 2.2, 1.4.11
    assert "#01020" not in drawing  # what stands for the page's colours


def test_it_reaches_nothing_else_on_its_page():
    drawing = bars().drawing
    assert "<style" not in drawing and "<?xml" not in drawing and "<!DOCTYPE" not in drawing
    for name in re.findall(r' id="([^"]*)"', drawing):
        assert f"#{name}" in drawing


def test_drawn_again_in_its_frame_it_has_only_what_is_new():
    first = bars()
    with inside(first.frame):
        again, other = bars(), bars(2)
    assert again.drawing.count("<text") == first.drawing.count("<text")
    assert other.drawing.count("<path") == first.drawing.count("<path")
    with inside(first.frame):
        assert bars().drawing == again.drawing


def test_axes_that_were_added_are_gone_when_it_is_drawn_again():
    def draw(axes: Any) -> None:
        axes.twinx().plot([1, 2])
        axes.imshow([[1, 2], [3, 4]])

    first = plot(draw, "two")
    with inside(first.frame):
        drawings = [plot(draw, "two").drawing for _ in range(3)]
    assert len({len(drawing) for drawing in drawings}) == 1


def test_panels_stand_side_by_side_with_axes_of_their_own():
    picture = plot(lambda left, right: (left.set(ylim=(0, 7)), right.set(ylim=(0, 900))), "", 2)
    left, right = picture.frame.places
    assert left.x1 < right.x0 and left.y0 == pytest.approx(right.y0, abs=0.01)
    with inside(picture.frame):
        assert bars().drawing == bars().drawing  # one panel, where there are two


def test_each_series_has_a_colour_a_mark_and_a_pattern():
    assert len(set(SERIES)) == len(MARKS) == len(SIGNS) == len(set(HATCHES)) == 5


def test_nbval_reads_every_rule_of_what_may_differ():
    """It overlooks one whose replacement is empty, without a word."""
    text = (REPO / "tests/sanitize.cfg").read_text()
    rules = get_sanitize_patterns(text)
    assert len(rules) == len(re.findall(r"^\[", text, re.MULTILINE))
    said = "shared: 26 missing\nNot shown here: it is quick. Perhaps the machine is busy.\nend\n"
    for regex, replacement in rules:
        said = re.sub(regex, replacement, said)
    assert said == "shared: SOME missing\nend\n"
