"""C as JupyterLab colours it, in either theme."""

from __future__ import annotations

import html

from pygments.lexers import CLexer
from pygments.token import Comment, Keyword, Number, Operator, String, Token

from ..plots.style import CODE, CODE_SIZE, FAINT
from ..programs.program import Program
from ..programs.sources import without_licence

# JupyterLab's own colours for code, so that a shown file looks like a cell in either theme.
_CODE_COLOURS = (
    (Comment.Preproc, "var(--jp-mirror-editor-meta-color, #a0522d)"),
    (Comment, "var(--jp-mirror-editor-comment-color, #408080)"),
    (Keyword, "var(--jp-mirror-editor-keyword-color, #008000)"),
    (String, "var(--jp-mirror-editor-string-color, #ba2121)"),
    (Number, "var(--jp-mirror-editor-number-color, #008800)"),
    (Operator, "var(--jp-mirror-editor-operator-color, #7800c2)"),
    (Token, None),
)


def code_html(source: str) -> str:
    """C with its keywords and comments coloured."""
    parts = []
    for kind, text in CLexer(stripnl=False).get_tokens(without_licence(source)):
        colour = next(colour for token, colour in _CODE_COLOURS if kind in token)
        safe = html.escape(text, quote=False)
        parts.append(f'<span style="color:{colour}">{safe}</span>' if colour else safe)
    return (
        f'<pre tabindex="0" style="font-family:{CODE};font-size:{CODE_SIZE};'
        f'line-height:1.35;tab-size:4;margin:0 0 8px;padding:0;overflow-x:auto">'
        f"{''.join(parts).rstrip()}</pre>"
    )


def program_html(program: Program) -> str:
    """A program: its C, its size, where it is attached."""
    style = f"color:{FAINT};font-size:{CODE_SIZE};margin:0"
    summary = html.escape(program.summary)
    return f'{code_html(program.source)}<p style="{style}">{summary}</p>'
