"""What a lesson claims of time and of chance: shown where it comes out, told where it does not.

No reader's machine fails a lesson because it is busy, or has one CPU.  The claim itself is held by
a test that runs where nothing else does.
"""

from __future__ import annotations

from ..arguments import checked


@checked
def claim(holds: bool, what: str, why: str = "another program may keep this machine busy") -> None:
    """Say that a claim did not come out here; say nothing where it did.

    Args:
        holds: whether what was measured shows it.
        what: the claim, as a sentence that begins in lower case and has no full stop.
        why: the likeliest reason, in the same form.
    """
    if not holds:
        print(
            f"Not shown here: {what}. Perhaps {why}; the lesson goes on, and you may run this cell "
            "again."
        )
