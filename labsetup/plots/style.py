"""The course's colours and marks; no meaning rests on colour alone.

Colours follow the theme of the page: JupyterLab's variables, with a fallback elsewhere.
"""

from __future__ import annotations

INK = "var(--jp-ui-font-color1, currentColor)"
FAINT = "var(--jp-ui-font-color2, gray)"
LINE = "var(--jp-border-color1, #9e9e9e)"
CODE = "var(--jp-code-font-family, monospace)"
CODE_SIZE = "var(--jp-code-font-size, 13px)"
XDP = "#d17a00"  # an orange that stands out from both a white and a black page
# Okabe and Ito, colour-blind safe; the last one darker, 3 to 1 on white too (WCAG 2.2, 1.4.11).
SERIES = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#3498d4")
MARKS = ("o", "s", "^", "D", "v")
HATCHES = ("", "//", "..", "xx", "--")  # of bars
SIGNS = "●■▲◆▼"  # the marks, in text
