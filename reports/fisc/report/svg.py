"""SVG pictures in one plain form: safe inside a page, small, the same bytes every time.

`normalise` checks a picture once and rewrites it so that `embed` can put it into a page by
simple replacements: ids that nobody refers to are gone, the others are ``i0``, ``i1``, ...
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET  # nosec B405: entities are refused before parsing

from fisc.core import DataError
from fisc.core.palette import DARK, SANS

__all__ = ["embed", "normalise", "size"]

_SVG = "http://www.w3.org/2000/svg"
_HREF = "{http://www.w3.org/1999/xlink}href"
_ELEMENTS = {
    *("svg", "g", "defs", "symbol", "use", "title", "desc", "path", "rect", "circle", "ellipse"),
    *("line", "polyline", "polygon", "text", "tspan", "clipPath", "mask", "pattern", "marker"),
    *("linearGradient", "radialGradient", "stop", "image"),
}
_ROOT = ("style", "fill", "stroke")
_DROPPED = {"metadata", "style"}
_IMAGE = re.compile(r"data:image/(png|jpeg|gif|webp);base64,[A-Za-z0-9+/=\s]*\Z")
_URL = re.compile(r"url\(\s*(['\"]?)(.*?)\1\s*\)", re.IGNORECASE)
_LONG_NUMBER = re.compile(r"(-?\d+\.\d{2})\d+")
_NO_ROTATION = re.compile(r"\s*rotate\(-?0 [^)]*\)")
_COORDINATES = {"d", "points", "x", "y", "x1", "x2", "y1", "y2", "transform"}
_FONT_FAMILY = re.compile(r"font-family:[^;]*;?\s*")
_DECLARATION = re.compile(r"<!(DOCTYPE|ENTITY)", re.IGNORECASE)


def normalise(text: str) -> str:
    """Return an SVG as one element with a ``viewBox``, without size, scripts, styles, metadata or outside references.

    What is not SVG, or holds a script, an event handler or an outside reference, is a DataError.

    Examples
    --------
    >>> normalise('<svg width="10" height="5"><path id="a" d="M 0 0 L 1.23456 2"/></svg>')[-33:]
    '<path d="M 0 0 L 1.23 2" /></svg>'
    """
    if not isinstance(text, str) or "<svg" not in text:
        raise DataError(f"expected an <svg> element as text, not {str(text)[:40]!r}")
    body = text[text.index("<svg") :]
    if _DECLARATION.search(body):
        raise DataError("the SVG declares a document type or entities; save it without them")
    try:
        root = ET.fromstring(_with_namespaces(body))  # nosec B314: no entities, see above
    except ET.ParseError as error:
        raise DataError(f"the SVG cannot be read ({error}); expected one whole <svg> element") from error
    width, height = _view(root)
    _clean(root)
    _rename_ids(root)
    _flatten(root)
    kept: dict[str, str] = {key: root.attrib[key] for key in _ROOT if key in root.attrib}
    box = f"0 0 {width:g} {height:g}"
    root.attrib = {"viewBox": box, "font-family": SANS, "stroke-linejoin": "round", **kept}
    ET.register_namespace("", _SVG)
    return ET.tostring(root, encoding="unicode")


def _with_namespaces(text: str) -> str:
    """Add the namespace declarations that SVG copied out of an HTML page may lack."""
    head = text[: text.index(">")] if ">" in text else text
    extra = ""
    if "xmlns=" not in head:
        extra += f' xmlns="{_SVG}"'
    if "xmlns:xlink=" not in head:
        extra += ' xmlns:xlink="http://www.w3.org/1999/xlink"'
    return text.replace("<svg", f"<svg{extra}", 1)


def _view(root: ET.Element) -> tuple[float, float]:
    """Return width and height in the picture's own units."""
    numbers = [float(n) for n in re.findall(r"-?\d+(?:\.\d+)?", root.get("viewBox", ""))]
    if len(numbers) == 4 and numbers[:2] == [0, 0] and min(numbers[2:]) > 0:
        return numbers[2], numbers[3]
    sides = [re.match(r"\d+(?:\.\d+)?", root.get(side, "")) for side in ("width", "height")]
    if all(sides):
        return float(sides[0].group()), float(sides[1].group())  # type: ignore[union-attr]
    raise DataError("the SVG has neither a viewBox that begins at 0 0 nor a width and height in numbers")


def _clean(element: ET.Element) -> None:
    """Drop what a page does not need and refuse what it must not hold, in place."""
    name = element.tag.rpartition("}")[2]
    if name not in _ELEMENTS:
        raise DataError(
            f"the SVG holds a <{name}> element; only shapes, text and embedded images may stand in a report"
        )
    href = element.attrib.pop(_HREF, element.attrib.pop("href", None))
    if href is not None:
        href = href.strip()
        if name == "image" and _IMAGE.match(href):
            href = re.sub(r"\s+", "", href)
        elif not href.startswith("#"):
            raise DataError(f"the SVG refers to {href[:60]!r}; a report fetches nothing, so embed it as data")
        element.set("href", href)
    for key, value in list(element.attrib.items()):
        if key.lower().startswith("on"):
            raise DataError(f"the SVG has an event handler ({key}); remove it")
        if any(not target.startswith("#") for _, target in _URL.findall(value)) or "@import" in value:
            raise DataError(f"the SVG refers to something outside it ({key}={value[:60]!r}); remove it")
        if key in _COORDINATES and "scale" not in value and "matrix" not in value:
            # A hundredth of a point is finer than any screen shows.
            short = " ".join(_LONG_NUMBER.sub(r"\1", _NO_ROTATION.sub("", value)).split())
            element.set(key, short)
            if not short:
                del element.attrib[key]
        elif key == "style":
            element.set(key, _FONT_FAMILY.sub("", value).strip())
        elif key.startswith("{"):
            del element.attrib[key]
    children: list[ET.Element] = []
    for child in element:
        if isinstance(child.tag, str) and child.tag.rpartition("}")[2] not in _DROPPED:
            _clean(child)
            children.append(child)
    element[:] = children
    if name not in ("tspan", "title", "desc") and (name != "text" or children):
        element.text = None
        for child in element:
            child.tail = None


def _flatten(element: ET.Element) -> None:
    """Unwrap groups that say nothing, and join the letters of a formula that share a line."""
    children: list[ET.Element] = []
    if len(element) and all(child.get("x") and child.tag.endswith("}tspan") for child in element):
        # A formula comes letter by letter, sorted by font; in reading order it can be read aloud.
        element[:] = sorted(element, key=lambda child: float(str(child.get("x")).split()[0]))
    for child in element:
        _flatten(child)
        name = child.tag.rpartition("}")[2]
        before = children[-1] if children else None
        if name == "g" and not child.attrib:
            children.extend(child)
        elif name in ("g", "defs") and not len(child):
            continue
        elif name == "tspan" and before is not None and _same_line(before, child):
            joined = (before.text or "") + (child.text or "")
            before.text = re.sub(r"(?<=\S)\xa0(?=\S)", " ", joined)
        else:
            children.append(child)
    element[:] = children


def _same_line(one: ET.Element, other: ET.Element) -> bool:
    return all(one.get(key) == other.get(key) for key in ("y", "style", "dy", "class")) and not len(one)


def _rename_ids(root: ET.Element) -> None:
    """Keep only the ids that something refers to, numbered in the order of the document."""
    used = set()
    for element in root.iter():
        for key, value in element.attrib.items():
            if key == "href" and value.startswith("#"):
                used.add(value[1:])
            used.update(target[1:] for _, target in _URL.findall(value))
    names: dict[str, str] = {}
    for element in root.iter():
        given = element.attrib.pop("id", None)
        if given in used:
            names[given] = f"i{len(names)}"
            element.set("id", names[given])
    for element in root.iter():
        for key, value in element.attrib.items():
            if key == "href" and value.startswith("#"):
                element.set(key, f"#{names.get(value[1:], 'none')}")
            elif "url(" in value:
                element.set(key, _URL.sub(lambda m: f"url(#{names.get(m[2][1:], 'none')})", value))


def size(svg: str) -> tuple[float, float]:
    """Return width and height in points of a picture in the plain form."""
    found = re.search(r'viewBox="0 0 (\S+) (\S+)"', svg)
    if found is None:
        raise DataError("the picture is not in the plain form; make it with Figure or svg.normalise")
    return float(found[1]), float(found[2])


def embed(svg: str, prefix: str, *, themed: bool, attributes: str = "") -> str:
    """Return a picture in the plain form ready to stand in a page with others: `prefix` makes its ids unique.

    `themed` turns the colours of `fisc.report.style`, black and white into CSS variables, which the page's dark
    mode changes; `attributes` of the root element are escaped.
    """

    def change(tag: re.Match[str]) -> str:
        text = _REFERENCE.sub(rf"\g<1>{prefix}-\2", tag[0])
        return _COLOUR.sub(lambda m: f"{m[1]}var(--c-{m[2]},#{m[2]})", text) if themed else text

    svg = re.sub(r"<[^>]*>", change, svg)  # tags alone: labels keep their words
    # Black, which matplotlib leaves unsaid, follows the text of the page.
    fill = ' fill="currentColor"' if themed else ""
    return svg.replace("<svg", f"<svg{fill} {attributes}".rstrip(), 1)


_REFERENCE = re.compile(r'(\sid="|url\(#|href="#)(i\d+|none)(?=["\)])')
# Only inside style="...": presentation attributes do not take variables.
_COLOUR = re.compile(rf"((?:fill|stroke|stop-color): )#({'|'.join(sorted(DARK))})\b")
