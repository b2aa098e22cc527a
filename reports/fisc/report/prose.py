"""Light markdown: prose to HTML, with everything else shown as text."""

from __future__ import annotations

import functools
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from markdown_it import MarkdownIt

__all__ = ["inline", "plain", "to_html"]

_PUNCTUATION = re.compile(r"([\\`*_{}\[\]()#+.!|~<>&$-])")


@functools.cache
def _parser() -> MarkdownIt:
    from markdown_it import MarkdownIt

    # Raw HTML is off, and so are images: a report fetches nothing.
    return MarkdownIt("commonmark", {"html": False}).disable(["image"])


def to_html(text: str) -> str:
    """Render light markdown as HTML blocks.

    Parameters
    ----------
    text : str
        Paragraphs, emphasis, code, lists, links. HTML in it comes out as text.

    Returns
    -------
    str

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
        A name or other data to put into prose.

    Returns
    -------
    str

    Examples
    --------
    >>> plain("A_B*")
    'A\\_B\\*'
    """
    return _PUNCTUATION.sub(r"\\\1", str(value))
