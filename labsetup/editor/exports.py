"""A notebook as a page for others: what JupyterLab's export takes out, and what it leaves.

nbconvert's own list, which applies where «sanitize» is ticked, leaves no headings and no images.
"""

from __future__ import annotations

import re

import bleach
from bleach.css_sanitizer import CSSSanitizer

HEADINGS = ("h1", "h2", "h3", "h4", "h5", "h6")
TAGS = {
    *bleach.ALLOWED_TAGS,
    *HEADINGS,
    *("br", "dd", "div", "dl", "dt", "hr", "img", "p", "pre", "span", "sub", "sup"),
    *("table", "tbody", "td", "th", "thead", "tr"),
}
STYLES = {
    *("background-color", "border-color", "border-left", "color", "display", "flex", "font-family"),
    *("font-size", "font-weight", "gap", "height", "line-height", "margin", "margin-top"),
    *("max-width", "min-width", "overflow-x", "padding", "tab-size", "text-align", "width"),
}
_IMAGE = re.compile(r"data:image/(png|jpeg|gif|svg\+xml);base64,[\w+/=]*")


def clean_html(element: str | bytes) -> str:
    """HTML without what could act: no scripts, no handlers, no forms, no foreign pictures.

    An image stands in the page itself; one in SVG cannot run scripts there (SVG Integration,
    2.2, secure animated mode).

    Args:
        element: HTML.
    """
    text = element.decode() if isinstance(element, bytes) else str(element)
    cleaned: str = bleach.clean(
        text,
        tags=TAGS,
        attributes=_is_harmless,
        protocols=[*bleach.ALLOWED_PROTOCOLS, "data"],
        css_sanitizer=CSSSanitizer(allowed_css_properties=STYLES),
    )
    return cleaned


def _is_harmless(tag: str, name: str, value: str) -> bool:
    if name in ("class", "id", "style", "title", "alt", "width", "height"):
        return True
    if (tag, name) == ("a", "href"):
        return not value.strip().lower().startswith("data:")
    return (tag, name) == ("img", "src") and _IMAGE.fullmatch(value) is not None
