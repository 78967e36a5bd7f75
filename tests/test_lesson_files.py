"""The folders of the exercises: that all is there, and what is said where something is not."""

from __future__ import annotations

import pytest

from labsetup import LabError
from labsetup.command.lessons import missing
from labsetup.practice.answers import blocks
from labsetup.practice.exercise import every, find, read

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
        _ = read(no_arp).check


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


def test_a_block_that_changes_nothing_is_said(no_arp):
    (no_arp / "mistakes.diff").write_text("# one => words\n")
    with pytest.raises(LabError, match="line 1: it changes nothing; give its - and"):
        assert read(no_arp).near_misses


def test_a_section_without_text_is_said(no_arp):
    path = no_arp / "text.md"
    path.write_text(path.read_text().partition("## Next")[0] + "## Next\n")
    with pytest.raises(LabError, match="nothing stands below «Next»; write it"):
        read(no_arp)


def test_what_an_author_has_still_to_do_is_said(no_arp):
    (no_arp / "starter.c").write_text((no_arp / "solution.c").read_text())
    (no_arp / "mistakes.diff").write_text("# one => words\n")
    told = "\n".join(missing(no_arp))
    assert "its starter is its solution; change one of them" in told
    assert "it changes nothing" in told
