"""What clang and the verifier object to, in plain words and at the line of the reader's own C.

The words are data: ``refusals.toml`` has the verifier's, ``remarks.toml`` clang's.
"""

from pathlib import Path

SOURCES = Path(__file__).parent.parent.parent / "bpf"  # the lab's own C, headers among it
