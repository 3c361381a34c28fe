"""Elements of a page: one function writes the tree, and escapes every text in it.

A page is a tree of elements until it is written (`xml.etree`), so no name of a stranger can become
markup. Characters that reverse text or control a terminal are shown as escapes.
"""

from __future__ import annotations

from xml.etree import ElementTree

from ..report import harmless

Element = ElementTree.Element
Content = Element | str | None


def element(name: str, /, *content: Content, **attributes: str) -> Element:
    """Return an element.

    Args:
        name: of it.
        content: elements and texts, in their order; None is left out.
        attributes: a name may end with an underscore, e.g. ``class_``.
    """
    new = Element(name, {key.rstrip("_"): value for key, value in attributes.items()})
    last: Element | None = None
    for one in content:
        if one is None:
            continue
        if isinstance(one, str):
            text = "\n".join(map(harmless, one.split("\n")))
            if last is None:
                new.text = (new.text or "") + text
            else:
                last.tail = (last.tail or "") + text
        else:
            new.append(one)
            last = one
    return new


def written(page: Element) -> bytes:
    """Return the document, in UTF-8."""
    text = ElementTree.tostring(page, encoding="unicode", method="html")
    return b"<!DOCTYPE html>\n" + text.encode("utf-8", "backslashreplace") + b"\n"
