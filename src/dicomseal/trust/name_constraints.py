"""Name constraints of authorities, also those of an anchor.

In: the certificates of a path, from the anchor's on.
Out: nothing, or an exception that names the name outside of the constraints.
PS3: none; RFC 5280 Section 4.2.1.10.

pyhanko-certvalidator does not apply those of an anchor, knows neither addresses nor other names,
and has no bound on the work. So the library does not see any (see `chain.Certificate`), and a path
that it has found valid is checked here. Names are those that asn1crypto has read. If a name cannot
be compared with a constraint on its form, it is refused, as it may be outside.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from asn1crypto import core
from asn1crypto.x509 import GeneralName, GeneralSubtrees, NameConstraints

from ..signature.lenient_certificate import Certificate

# comparisons of names with constraints in one decision; OpenSSL's bound is 2^20
MAX_COMPARISONS = 1 << 18

_MAILBOX = "1.3.6.1.5.5.7.8.9"  # SmtpUTF8Mailbox, under the constraints of rfc822Name (RFC 9598)
_LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?\Z")  # "_" is in many names of devices


class Outside(Exception):  # noqa: N818
    """A certificate has a name that the authorities above it may not certify."""


class TooManyNames(Exception):  # noqa: N818
    """There are more names and constraints than may be compared."""


class _Malformed(Exception):  # noqa: N818
    """A name or constraint that cannot be compared."""


class _Tree(NamedTuple):
    """One constraint, ready to be compared; ``base`` is None for one that cannot be."""

    base: Any
    # whether the constraint begins with a period: it is for what is below the name, not for itself
    inner: bool = False


class Constraints:
    """The names that the authorities of a path permit and exclude, collected from the anchor on.

    Args:
        budget: how many comparisons are left, in a list of one number; shared by all paths of a
            decision.
    """

    def __init__(self, budget: list[int]) -> None:
        self._budget = budget
        self._trees = 0  # the number of all constraints
        self._permitted: list[dict[str, list[_Tree]]] = []
        self._excluded: dict[str, list[_Tree]] = {}

    def add(self, cert: Certificate) -> None:
        """Add the constraints of one more authority: its permitted names only narrow the others."""
        value = constraints_of(cert)
        if value is None:
            return
        permitted = self._grouped(value["permitted_subtrees"])
        if permitted:
            self._permitted.append(permitted)
        for form, trees in self._grouped(value["excluded_subtrees"]).items():
            self._excluded.setdefault(form, []).extend(trees)

    def check(self, cert: Certificate) -> None:
        """Check that all names of a certificate are inside the constraints.

        Each pair of a name and a constraint is counted, of whatever forms.

        Raises:
            Outside: a name is not, or cannot be compared.
            TooManyNames: the budget is spent.
        """
        if not self._permitted and not self._excluded:
            return
        try:
            names = list(_names(cert))
        except (ValueError, TypeError, KeyError):
            raise Outside("a name in it cannot be compared with them: it cannot be read") from None
        self._spend(len(names) * self._trees)
        for form, name in names:
            permitted = [trees[form] for trees in self._permitted if form in trees]
            excluded = self._excluded.get(form, [])
            if not permitted and not excluded:
                continue
            self._compare(form, name, permitted, excluded)

    def _spend(self, comparisons: int) -> None:
        self._budget[0] -= comparisons
        if self._budget[0] < 0:
            raise TooManyNames

    def _grouped(self, subtrees: GeneralSubtrees) -> dict[str, list[_Tree]]:
        """Group subtrees by the form of their names."""
        found: dict[str, list[_Tree]] = {}
        if isinstance(subtrees, core.Void):
            return found
        self._trees += len(subtrees)
        for subtree in subtrees:
            form, name = _form(subtree["base"])
            # minimum and maximum are not used in this profile (RFC 5280), and their meaning is not
            # defined
            plain = subtree["minimum"].native == 0 and subtree["maximum"].native is None
            make: Callable[[Any], _Tree] = _BASES.get(form, _refused)
            try:
                tree = make(name) if plain else _Tree(None)
            except _Malformed:
                tree = _Tree(None)
            found.setdefault(form, []).append(tree)
        return found

    @staticmethod
    def _compare(form: str, name: Any, permitted: list[list[_Tree]], excluded: list[_Tree]) -> None:
        try:
            ready = _READY.get(form, _refused)(name)
        except _Malformed:
            raise Outside(f"{_shown(form, name)} cannot be compared with them") from None
        inside, touches = _INSIDE[form], _TOUCHES.get(form, _INSIDE[form])
        if any(tree.base is None or touches(tree, ready) for tree in excluded):
            raise Outside(f"{_shown(form, name)} is excluded")
        for trees in permitted:
            if not any(tree.base is not None and inside(tree, ready) for tree in trees):
                raise Outside(f"{_shown(form, name)} is not among what is permitted")


def constraints_of(cert: Certificate) -> NameConstraints | None:
    """Return the Name Constraints of a certificate, or None; the library checks OCSP responses'."""
    constraints: NameConstraints | None = (
        cert.constraints if hasattr(cert, "constraints") else cert.name_constraints_value
    )
    return constraints


def _form(name: GeneralName) -> tuple[str, Any]:
    """Return the form of a GeneralName, and the value that is compared.

    Each type of an otherName is a form of its own, as in X.509.
    """
    form: str = name.name
    if form != "other_name":
        return form, name.chosen
    number = name.chosen["type_id"].dotted
    if number == _MAILBOX:
        return "rfc822_name", name.chosen["value"]
    return f"other_name {number}", name.chosen


def _names(cert: Certificate) -> Iterator[tuple[str, Any]]:
    """Yield all names of a certificate with their forms."""
    if len(cert.subject.chosen):
        yield "directory_name", cert.subject
    for relative in cert.subject.chosen:
        for one in relative:
            if one["type"].dotted == "1.2.840.113549.1.9.1":
                yield "rfc822_name", one["value"]
    alternatives = cert.alternatives if hasattr(cert, "alternatives") else None
    for name in alternatives or ():
        yield _form(name)


# --- forms ----------------------------------------------------------------------------------------


def _refused(_: Any) -> Any:
    """Refuse a form for which no comparison is defined."""
    raise _Malformed


def _text(value: Any) -> str:
    """Return an ASCII string of any string type."""
    try:
        inner = value.parsed if isinstance(value, core.Any) else value  # the value of an otherName
        return str((inner.contents or b"").decode("ascii"))
    except (UnicodeDecodeError, ValueError):
        raise _Malformed from None


def _labels(host: str, wildcard: bool = False) -> tuple[str, ...]:
    """Return a host's labels, the last one first."""
    labels = tuple(reversed(host.lower().removesuffix(".").split(".")))
    plain = labels[:-1] if wildcard and len(labels) > 1 and labels[-1] == "*" else labels
    if not all(_LABEL.match(one) for one in plain):
        raise _Malformed
    return labels


def _dns_base(value: Any) -> _Tree:
    text = _text(value)
    if not text:
        return _Tree(())  # every host
    # RFCs do not allow a leading period, but roots of public authorities have it
    return _Tree(_labels(text.removeprefix(".")), text.startswith("."))


def _below(tree: _Tree, labels: tuple[str, ...]) -> bool:
    if tree.inner and len(labels) == len(tree.base):
        return False
    return bool(labels[: len(tree.base)] == tree.base)


def _dns_touches(tree: _Tree, labels: tuple[str, ...]) -> bool:
    """Return whether an excluded host may be meant; a wildcard stands for other hosts."""
    if labels[-1] == "*" and tree.base[: len(labels) - 1] == labels[:-1]:
        return True
    return bool(labels[: len(tree.base)] == tree.base)


def _host_base(text: str) -> _Tree:
    return _Tree(_labels(text.removeprefix(".")), text.startswith("."))


def _at_host(tree: _Tree, labels: tuple[str, ...]) -> bool:
    """Return whether it is that host, as in a mail address or a URI (RFC 5280)."""
    return _below(tree, labels) if tree.inner else bool(labels == tree.base)


def _mailbox(value: Any) -> tuple[str, tuple[str, ...]]:
    local, at, host = _text(value).partition("@")
    if not local or not at:
        raise _Malformed
    return local, _labels(host)


def _mail_base(value: Any) -> _Tree:
    text = _text(value)
    if "@" in text:
        return _Tree(_mailbox(value))
    tree = _host_base(text)
    return _Tree(("", tree.base), tree.inner)


def _mail_inside(tree: _Tree, mailbox: tuple[str, tuple[str, ...]]) -> bool:
    local, host = tree.base
    if local:
        return bool(mailbox == tree.base)
    return _at_host(_Tree(host, tree.inner), mailbox[1])


def _uri(value: Any) -> tuple[str, ...]:
    try:
        host = urlsplit(_text(value)).hostname
    except ValueError:
        raise _Malformed from None
    labels = _labels(host or "")
    if labels[0].isdigit():  # an address, not a name
        raise _Malformed
    return labels


def _address(value: Any) -> bytes:
    contents = bytes(value.contents or b"")
    if len(contents) not in (4, 16):
        raise _Malformed
    return contents


def _network(value: Any) -> _Tree:
    contents = bytes(value.contents or b"")
    if len(contents) not in (8, 32):
        raise _Malformed
    half = len(contents) // 2
    mask = int.from_bytes(contents[half:], "big")
    spread = (1 << 8 * half) - 1 - mask
    if spread & (spread + 1):  # ones after a zero
        raise _Malformed
    return _Tree((half, int.from_bytes(contents[:half], "big") & mask, mask))


def _in_network(tree: _Tree, address: bytes) -> bool:
    length, network, mask = tree.base
    return bool(len(address) == length and int.from_bytes(address, "big") & mask == network)


def _directory(value: Any) -> tuple[Any, ...]:
    """Return the parts of a name in the form for comparison (RFC 5280 Section 7.1)."""
    return tuple(
        sorted((one["type"].dotted, _prepared(one)) for one in relative)
        for relative in value.chosen
    )


def _prepared(attribute: Any) -> str:
    """Return the text in the form for comparison; if that fails, its bytes after a mark."""
    try:
        prepared = str(attribute.prepped_value)
    except (ValueError, TypeError):
        return _UNPREPARED + str(attribute["value"].dump().hex())
    # `lenient` has marked bytes; for a value that is not text, the bytes are compared
    is_text = getattr(attribute["value"], "text", "") is not None
    return _UNPREPARED + prepared if prepared.startswith("#") and is_text else prepared


_UNPREPARED = "?"  # a prepared text begins with a space


def _directory_inside(tree: _Tree, parts: tuple[Any, ...]) -> bool:
    return bool(parts[: len(tree.base)] == tree.base)


def _directory_touches(tree: _Tree, parts: tuple[Any, ...]) -> bool:
    """Return whether an excluded name may be meant; an unprepared one may be spelled otherwise."""
    if len(parts) < len(tree.base):
        return False
    return all(
        one == other or any(value.startswith(_UNPREPARED) for _, value in (*one, *other))
        for one, other in zip(tree.base, parts, strict=False)
    )


_Compare = Callable[[_Tree, Any], bool]
_READY: dict[str, Callable[[Any], Any]] = {
    "directory_name": _directory,
    "dns_name": lambda value: _labels(_text(value), wildcard=True),
    "rfc822_name": _mailbox,
    "uniform_resource_identifier": _uri,
    "ip_address": _address,
}
_BASES: dict[str, Callable[[Any], _Tree]] = {
    "directory_name": lambda value: _Tree(_directory(value)),
    "dns_name": _dns_base,
    "rfc822_name": _mail_base,
    "uniform_resource_identifier": lambda value: _host_base(_text(value)),
    "ip_address": _network,
}
_INSIDE: dict[str, _Compare] = {
    "directory_name": _directory_inside,
    "dns_name": _below,
    "rfc822_name": _mail_inside,
    "uniform_resource_identifier": _at_host,
    "ip_address": _in_network,
}
_TOUCHES: dict[str, _Compare] = {
    "dns_name": _dns_touches,
    "directory_name": _directory_touches,
}
_CALLED = {
    "directory_name": "the directory name",
    "dns_name": "the DNS name",
    "rfc822_name": "the mail address",
    "uniform_resource_identifier": "the URI",
    "ip_address": "the IP address",
    "registered_id": "the registered ID",
}


def _shown(form: str, name: Any) -> str:
    """Return a name for people."""
    what = _CALLED.get(form, f"the {form.replace('_', ' ')}")
    if form not in _CALLED or form == "registered_id":
        return what
    try:
        if form == "ip_address":
            text = ipaddress.ip_address(name.contents).compressed
        else:
            text = name.human_friendly if form == "directory_name" else _text(name)
    except (_Malformed, ValueError, TypeError, KeyError, RecursionError):
        return what
    return f"{what} {str(text)[:100]!r}"


def check(path: Iterable[Certificate], budget: list[int]) -> None:
    """Check that each certificate of a path has only names that those above it may certify.

    Args:
        path: `chain.Certificate`s, from the anchor's on.
        budget: as for `Constraints`.

    Raises:
        Outside, TooManyNames: as for `Constraints.check`; the sentence has the certificate's name.
    """
    certs = list(path)
    constraints = Constraints(budget)
    for number, cert in enumerate(certs):
        last = number == len(certs) - 1
        # a self-issued certificate is a key change of the same authority (RFC 5280 6.1.3 b)
        if number and (last or not cert.self_issued):
            constraints.check(cert)
        if not last:
            constraints.add(cert)
