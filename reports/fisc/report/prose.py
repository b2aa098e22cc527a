"""Light markdown: prose to HTML, with everything else shown as text."""

from __future__ import annotations

import functools
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.rules_core import StateCore

__all__ = ["inline", "plain", "to_html"]

_PUNCTUATION = re.compile(r"([\\`*_{}\[\]()#+.!|~<>&$-])")


@functools.cache
def _parser() -> MarkdownIt:
    from markdown_it import MarkdownIt

    # Raw HTML is off, and so are images: a report fetches nothing.
    parser = MarkdownIt("commonmark", {"html": False}).disable(["image"])
    parser.validateLink = _is_link  # type: ignore[assignment, method-assign]
    parser.core.ruler.push("below_the_title", _lower_headings)
    return parser


def _is_link(address: str) -> bool:
    """Return True for the web, mail, and places in this page or beside it."""
    scheme = re.match(r"\s*([a-zA-Z][a-zA-Z0-9+.-]*):", address)
    return scheme is None or scheme[1].lower() in ("http", "https", "mailto")


def _lower_headings(state: StateCore) -> None:
    """Put the headings of a body below the section's own, which is of level 2."""
    for token in state.tokens:
        if token.type in ("heading_open", "heading_close"):
            token.tag = "h3" if token.tag in ("h1", "h2", "h3") else "h4"


def to_html(text: str) -> str:
    """Render light markdown (paragraphs, emphasis, code, lists, links) as HTML blocks; HTML in it comes out as text.

    Examples
    --------
    >>> to_html("**Net** of <costs>").strip()
    '<p><strong>Net</strong> of &lt;costs&gt;</p>'
    """
    return str(_parser().render(text))


def inline(text: str) -> str:
    """Render light markdown inside one line: emphasis, code and links.

    Examples
    --------
    >>> inline("a *b* <i>")
    'a <em>b</em> &lt;i&gt;'
    """
    return str(_parser().renderInline(text))


def plain(value: object) -> str:
    r"""Return text that markdown shows as it stands.

    Parameters
    ----------
    value : object
        A name or other data to put into prose. Line breaks become spaces.

    Returns
    -------
    str

    Examples
    --------
    >>> plain("A_B*")
    'A\\_B\\*'
    """
    return _PUNCTUATION.sub(r"\\\1", " ".join(str(value).split()))
