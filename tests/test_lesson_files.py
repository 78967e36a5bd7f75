"""The folders of the exercises: how they are read, made, and written into the notebooks."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from support.host import REPO

from labsetup import LabError
from labsetup.command.lessons import missing, new_exercise, sync
from labsetup.practice.answers import blocks
from labsetup.practice.exercise import FOLDER, every, find, read, within
from labsetup.practice.judge import judge

EVERY = list(every().values())


@pytest.mark.parametrize("exercise", EVERY, ids=lambda exercise: exercise.id)
def test_nothing_is_left_to_be_filled_in(exercise):
    assert not missing(exercise.folder)


@pytest.mark.parametrize("exercise", EVERY, ids=lambda exercise: exercise.id)
def test_every_whole_program_is_an_answer(exercise):
    named = {
        block.base
        for file, replies in (("mistakes.diff", True), ("also_right.diff", False))
        for block in blocks(exercise.folder / file, replies)
    }
    whole = [path for path in exercise.folder.glob("*/*") if path.suffix in (".c", ".py")]
    assert {str(path.relative_to(exercise.folder)) for path in whole} <= named


@pytest.fixture
def lessons(tmp_path):
    """Lesson 02 alone, in a place where it may be changed."""
    folder = tmp_path / "lessons"
    shutil.copytree(FOLDER / "lesson_02_drop", folder / "lesson_02_drop")
    return folder


@pytest.fixture
def no_arp(lessons):
    """The folder of 2.1."""
    return lessons / "lesson_02_drop" / "ex_2_1_no_arp"


def test_a_copy_is_the_same_exercise(no_arp):
    copied, kept = read(no_arp), find("2.1")
    assert copied.markdown == kept.markdown
    assert copied.near_misses == kept.near_misses
    assert copied.alternatives == kept.alternatives
    assert copied.check.__doc__ == kept.check.__doc__


MALFORMED = [  # a file, a line to put in place of another, and what is said
    ("text.md", 1, "No ARP", "text.md, line 1: it begins with"),
    ("text.md", "## Hints", "## Hint", "«Hint» is none of The starter is told, Hints"),
    ("text.md", "## Next", "", "text.md: it has «## Next» 0 times, not once"),
    ("text.md", "## Next", "## Compare", "text.md: it has «## Compare» 2 times"),
    ("text.md", "2. ", "Or: ", "text.md: it has 2 hints; number three of them"),
    ("mistakes.diff", 1, "#host byte order", "mistakes.diff, line 1: a block begins with"),
    ("mistakes.diff", 1, "# host byte order", "mistakes.diff, line 1: the words of the reply"),
    ("mistakes.diff", 2, "\tif (eth", "mistakes.diff, line 2: a line begins with"),
    ("mistakes.diff", 2, "-\tif (eht", "mistakes.diff, line 2: solution.c has no such lines"),
    ("mistakes.diff", 2, "", "mistakes.diff, line 3: nothing says where"),
    ("mistakes.diff", 2, "-", "mistakes.diff, line 2: solution.c has these lines 3 times"),
    ("mistakes.diff", 2, " \treturn XDP_PASS;\n ", "mistakes.diff, line 2: solution.c has no such"),
    ("mistakes.diff", 2, "-\t/* your code */", "mistakes.diff, line 2: solution.c has no such"),
    ("mistakes.diff", 2, "from nowhere.c", "mistakes.diff, line 2: there is no file nowhere.c"),
    ("mistakes.diff", 4, "# host byte order => 0x", "line 4: there is an answer of this name"),
    ("also_right.diff", 1, "# nested => right", "also_right.diff, line 1: an answer that is right"),
]


@pytest.mark.parametrize(("file", "place", "line", "said"), MALFORMED)
def test_a_file_that_is_not_as_it_should_be_is_said_with_its_line(no_arp, file, place, line, said):
    path = no_arp / file
    lines = path.read_text().splitlines()
    if isinstance(place, str):
        place = 1 + next(at for at, old in enumerate(lines) if old.startswith(place))
    lines[place - 1] = line
    path.write_text("\n".join(lines) + "\n")
    with pytest.raises(LabError) as caught:
        exercise = read(no_arp)
        assert exercise.near_misses and exercise.alternatives
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("solution.c", "", "solution.c: there is no such file; each exercise has one"),
        ("check.py", "", "check.py: there is no such file"),
        ("starter.c", "", "it needs one starter"),
        ("starter.c", "starter.py", "solution.py: there is no such file"),
        (".", "ex_2_no_arp", "name the folder as in ex_5_1_echo"),
        (".", "ex_3_1_no_arp", "move it to lesson 3"),
    ],
)
def test_a_folder_that_is_not_as_it_should_be_is_said(no_arp, old, new, said):
    path = no_arp / old
    if not new:
        path.unlink()
    elif old == ".":
        no_arp = path.rename(no_arp.with_name(new))
    else:
        path.rename(no_arp / new)
    with pytest.raises(LabError, match=said):
        read(no_arp)


def test_a_check_without_a_function_is_said(no_arp):
    (no_arp / "check.py").write_text("checks = None\n")
    with pytest.raises(LabError, match="it has no function check"):
        assert read(no_arp).check


def test_places_are_in_the_order_of_the_file(no_arp):
    (no_arp / "mistakes.diff").write_text(
        "# both => words\n"
        "-	if (eth->h_proto == htons(ETH_P_ARP))\n"
        "+	if (eth->h_proto == 0)\n"
        "@@\n"
        "-	struct ethhdr *eth = data;\n"
    )
    with pytest.raises(LabError, match="line 5: put its places in the order of solution"):
        assert read(no_arp).near_misses


def test_an_empty_line_of_context_needs_no_space(no_arp):
    """Editors take a space at the end of a line away."""
    (no_arp / "mistakes.diff").write_text(
        "# one => words\n"
        " 		return XDP_PASS;\n"
        "\n"
        "-	if (eth->h_proto == htons(ETH_P_ARP))\n"
        "+	if (eth->h_proto == 0)\n"
        "\n"
        "# the other => words\n"
        "-		return XDP_DROP;\n"
        "+		return XDP_TX;\n"
    )
    (one, _), (other, _) = read(no_arp).near_misses.values()
    solution = find("2.1").solution
    assert one == solution.replace("htons(ETH_P_ARP)", "0")
    assert other == solution.replace("DROP", "TX")


# The notebooks.


@pytest.fixture
def notebooks(tmp_path):
    """The course's notebooks, in a place where they may be changed."""
    return Path(shutil.copytree(REPO / "notebooks", tmp_path / "notebooks"))


def contents(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in folder.glob("*.ipynb")}


def change(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert text.count(old) == 1
    path.write_text(text.replace(old, new))


def test_the_notebooks_are_as_the_exercises_say():
    assert not sync(REPO / "notebooks", check=True)


def test_where_nothing_differs_nothing_is_written(notebooks):
    assert not sync(notebooks)
    assert contents(notebooks) == contents(REPO / "notebooks")


def test_a_text_is_brought_in_line(notebooks):
    change(notebooks / "05-send-back.ipynb", "### 5.1 Echo", "### 5.1 Ecco")
    told = ["05-send-back.ipynb: the text of 5.1 is another than in its folder"]
    before = contents(notebooks)
    assert sync(notebooks, check=True) == told
    assert contents(notebooks) == before
    assert sync(notebooks) == told
    assert contents(notebooks) == contents(REPO / "notebooks")


def test_a_cell_is_brought_in_line_and_loses_its_outputs(notebooks):
    path = notebooks / "02-drop.ipynb"
    change(path, "%%xdp no_arp --check 2.1", "%%xdp no_arp")
    (told,) = sync(notebooks)
    assert "02-drop.ipynb: the cell of 2.1" in told
    kept, now = (
        json.loads(text)["cells"]
        for text in ((REPO / "notebooks" / path.name).read_text(), path.read_text())
    )
    different = [at for at, pair in enumerate(zip(kept, now, strict=True)) if pair[0] != pair[1]]
    assert len(different) == 1
    (at,) = different
    assert now[at] == kept[at] | {"outputs": [], "execution_count": None}


@pytest.mark.parametrize("number", ["5.1", "5.3", "5.4"])
def test_an_exercise_that_is_not_there_goes_in_in_its_order(notebooks, number):
    path = notebooks / "05-send-back.ipynb"
    notebook = json.loads(path.read_text())
    kept = [cell["source"] for cell in notebook["cells"]]
    at = next(at for at, lines in enumerate(kept) if lines[0].startswith(f"### {number} "))
    del notebook["cells"][at : at + 2]
    path.write_text(json.dumps(notebook, indent=1, ensure_ascii=False) + "\n")
    (told,) = sync(notebooks)
    assert f"05-send-back.ipynb has no {number}" in told
    cells = json.loads(path.read_text())["cells"]
    assert [cell["source"] for cell in cells] == kept
    assert len({cell["id"] for cell in cells}) == len(cells)
    assert all(cell["id"].startswith("05-") for cell in cells)
    assert not sync(notebooks)


def test_an_exercise_that_no_folder_has_is_said(notebooks):
    change(notebooks / "05-send-back.ipynb", "### 5.4 The museum", "### 5.9 The museum")
    told = sync(notebooks, check=True)
    assert any("has 5.9, and no folder has it" in one for one in told)
    assert any("has no 5.4" in one for one in told)


def test_notebooks_that_are_elsewhere_are_said(tmp_path):
    with pytest.raises(LabError, match="has 0 notebooks of lesson 01"):
        sync(tmp_path)


# A new exercise.


@pytest.mark.parametrize("python", [False, True])
def test_a_new_exercise_says_what_to_fill_in(lessons, python):
    folder = new_exercise("2.4", "mine", python, lessons)
    assert folder == lessons / "lesson_02_drop" / "ex_2_4_mine"
    told = missing(folder)
    for file in ("text.md", "check.py", "mistakes.diff", "also_right.diff"):
        assert any(f"{file}, line 1: fill in " in one for one in told), told
    assert any("it has 1 of at least 4 answers" in one for one in told)
    exercise = within(lessons)["2.4"]
    assert (exercise.id, exercise.name, exercise.suffix) == (
        "2.4",
        "mine",
        ".py" if python else ".c",
    )
    assert judge(exercise, exercise.solution).ok
    assert not judge(exercise, exercise.starter).ok
    (answer, words) = next(iter(exercise.near_misses.values()))
    assert words not in repr(judge(exercise, answer))


@pytest.mark.parametrize(
    ("number", "name", "sentence"),
    [
        ("2.2", "mine", "2.2 is last_hop"),
        ("2.5", "mine", "the next exercise of lesson 2 is 2.4"),
        ("9.1", "mine", "no number of an exercise"),
        ("two", "mine", "no number of an exercise"),
        ("2.4", "no arp", "«no arp» is no name"),
        ("2.4", "return", "«return» is no name"),
        ("2.4", "no_dns", "2.3 is called no_dns"),
        ("2.4", "capture", "labsetup has a capture"),
        ("3.1", "mine", "has no folder lesson_03_"),
    ],
)
def test_a_new_exercise_that_cannot_be_is_said(lessons, number, name, sentence):
    before = sorted(lessons.rglob("*"))
    with pytest.raises(LabError, match=sentence):
        new_exercise(number, name, lessons=lessons)
    assert sorted(lessons.rglob("*")) == before


FILLED = {
    "text.md": """# No IPv6

**Drop IPv6, and nothing else.**

## The starter is told

IPv6 (54 bytes)

## Hints

1. Which field says what comes next?
2. It is compared as in no_arp.
3. With htons(ETH_P_IPV6).

## Compare

Nothing.

## Next

Ping over IPv6.
""",
    "starter.c": """#include "xdp.h"

int no_six(struct xdp_md *ctx)
{
	return XDP_PASS; /* your code */
}
""",
    "solution.c": """#include "xdp.h"

int no_six(struct xdp_md *ctx)
{
	struct ethhdr *eth = (void *)(long)ctx->data;
	if ((void *)(eth + 1) > (void *)(long)ctx->data_end)
		return XDP_PASS;
	return eth->h_proto == htons(ETH_P_IPV6) ? XDP_DROP : XDP_PASS;
}
""",
    "mistakes.diff": """# all but IPv6 => ARP
-	return eth->h_proto == htons(ETH_P_IPV6) ? XDP_DROP : XDP_PASS;
+	return eth->h_proto != htons(ETH_P_IPV6) ? XDP_DROP : XDP_PASS;

# host byte order => IPv6
-	return eth->h_proto == htons(ETH_P_IPV6) ? XDP_DROP : XDP_PASS;
+	return eth->h_proto == ETH_P_IPV6 ? XDP_DROP : XDP_PASS;

# as it was => IPv6
from starter.c

# another verdict => XDP_ABORTED
from mistakes/aborted.c
""",
    "mistakes/aborted.c": """int no_six(struct xdp_md *ctx)
{
	return 0;
}
""",
    "also_right.diff": """# the two exchanged
-	return eth->h_proto == htons(ETH_P_IPV6) ? XDP_DROP : XDP_PASS;
+	return eth->h_proto != htons(ETH_P_IPV6) ? XDP_PASS : XDP_DROP;

# the field turned round
-	return eth->h_proto == htons(ETH_P_IPV6) ? XDP_DROP : XDP_PASS;
+	return ntohs(eth->h_proto) == ETH_P_IPV6 ? XDP_DROP : XDP_PASS;
""",
    "check.py": '''"""ARP must pass, and IPv6 must not."""

from labsetup import ARP, TCP, IPv6
from labsetup.practice.checking import DROP, PASS, expect_each

CASES = [("ARP", ARP(), PASS, "Only IPv6."), ("IPv6", IPv6() / TCP(), DROP, "Which field?")]


def check(program):
    expect_each(program, CASES)
''',
}  # what an author writes


def test_a_new_exercise_that_is_filled_in_does_what_the_others_do(lessons):
    folder = new_exercise("2.4", "no_six", lessons=lessons)
    for name, text in FILLED.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text)
    assert not missing(folder)
    exercise = within(lessons)["2.4"]
    starter = judge(exercise, exercise.starter)
    assert not starter.ok
    assert judge(exercise, exercise.solution).ok
    for answer, words in exercise.near_misses.values():
        reply = judge(exercise, answer)
        assert not reply.ok
        assert words in repr(reply)
    for answer in exercise.alternatives.values():
        assert judge(exercise, answer).ok
