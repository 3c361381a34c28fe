"""Name constraints of an anchor and of authorities below it (RFC 5280 Section 4.2.1.10)."""

from __future__ import annotations

import time
from typing import Any, NamedTuple

import pytest
from _chains import alternatives, constraints, judge, make, named
from asn1crypto import core
from asn1crypto import x509 as asn1

from dicomseal.trust import name_constraints

UPN, MAILBOX = "1.3.6.1.4.1.311.20.2.3", "1.3.6.1.5.5.7.8.9"


def dns(text: str | bytes) -> Any:
    data = text.encode() if isinstance(text, str) else text
    return asn1.GeneralName("dns_name", asn1.DNSName(contents=data))


def mail(text: str) -> Any:
    return asn1.GeneralName("rfc822_name", asn1.EmailAddress(contents=text.encode()))


def uri(text: str) -> Any:
    return asn1.GeneralName("uniform_resource_identifier", asn1.URI(contents=text.encode()))


def ip(*octets: int) -> Any:
    return asn1.GeneralName("ip_address", asn1.IPAddress(contents=bytes(octets)))


def other(number: str, text: str) -> Any:
    value = core.UTF8String(text).retag(tagging={"explicit": 0})
    inner = core.ObjectIdentifier(number).dump() + value.dump()
    return asn1.GeneralName.load(b"\xa0" + bytes([len(inner)]) + inner)


def registered(number: str) -> Any:
    return asn1.GeneralName("registered_id", number)


def directory(organization: str) -> Any:
    name = asn1.Name.build({"organization_name": organization})
    return asn1.GeneralName("directory_name", name)


HOST = (192, 0, 2, 7)
NET = ip(192, 0, 2, 0, 255, 255, 255, 0)
SIX = (*(0x20, 1, 0xD, 0xB8), *(0,) * 11, 1)
SIX_NET = ip(*SIX[:4], *(0,) * 12, *(255,) * 4, *(0,) * 12)


class Case(NamedTuple):
    names: tuple[Any, ...]
    permitted: tuple[Any, ...] = ()
    excluded: tuple[Any, ...] = ()
    sentence: str = ""  # none: all names are inside


NOT_PERMITTED, EXCLUDED = "is not among what is permitted", "is excluded"
UNCOMPARABLE = "cannot be compared"
TABLE = {
    # hosts
    "host": Case((dns("ct.clinic.example"),), (dns("clinic.example"),)),
    "the host itself": Case((dns("clinic.example"),), (dns("clinic.example"),)),
    "capitals, and the period of the root": Case((dns("CT.Clinic.Example."),),
                                                 (dns("clinic.EXAMPLE"),)),
    "an underscore": Case((dns("ct_1.clinic.example"),), (dns("clinic.example"),)),
    "another host": Case((dns("ct.other.example"),), (dns("clinic.example"),),
                         sentence="the DNS name 'ct.other.example' is not among"),
    "half a label": Case((dns("notclinic.example"),), (dns("clinic.example"),),
                         sentence=NOT_PERMITTED),
    "one of two names": Case((dns("clinic.example"), dns("other.example")),
                             (dns("clinic.example"),), sentence=NOT_PERMITTED),
    "one of two constraints": Case((dns("b.example"),), (dns("a.example"), dns("b.example"))),
    "excluded host": Case((dns("ct.clinic.example"),), (), (dns("clinic.example"),), EXCLUDED),
    "permitted and excluded": Case((dns("clinic.example"),), (dns("example"),),
                                   (dns("clinic.example"),), EXCLUDED),
    "every host": Case((dns("ct.clinic.example"),), (dns(""),)),
    "no host": Case((dns("ct.clinic.example"),), (), (dns(""),), EXCLUDED),
    "a period in front": Case((dns("ct.clinic.example"),), (dns(".example"),)),
    "a period in front, the host itself": Case((dns("clinic.example"),), (dns(".clinic.example"),),
                                               sentence=NOT_PERMITTED),
    "a period in front, excluded": Case((dns("clinic.example"),), (), (dns(".clinic.example"),),
                                        EXCLUDED),
    "a wildcard inside": Case((dns("*.clinic.example"),), (dns("clinic.example"),)),
    "a wildcard that is wider": Case((dns("*.clinic.example"),), (dns("ct.clinic.example"),),
                                     sentence=NOT_PERMITTED),
    "a wildcard over what is excluded": Case((dns("*.clinic.example"),), (),
                                             (dns("ct.clinic.example"),), EXCLUDED),
    "a wildcard beside what is excluded": Case((dns("*.clinic.example"),), (),
                                               (dns("ct.other.example"),)),
    "a constraint with a wildcard": Case((dns("ct.clinic.example"),), (dns("*.clinic.example"),),
                                         sentence=NOT_PERMITTED),
    "an exclusion with a wildcard": Case((dns("far.example"),), (), (dns("*.clinic.example"),),
                                         EXCLUDED),
    "a name that begins with a period": Case((dns(".clinic.example"),), (dns("clinic.example"),),
                                             sentence=UNCOMPARABLE),
    "a name beyond ASCII": Case((dns(b"m\xfcller.clinic.example"),), (dns("clinic.example"),),
                                sentence="the DNS name cannot be compared"),
    "a name beyond ASCII, of another form": Case((dns(b"m\xfcller"),), (mail("a.example"),)),
    # mail
    "mailbox": Case((mail("a@clinic.example"),), (mail("a@clinic.example"),)),
    "mailbox, host in capitals": Case((mail("a@CLINIC.example"),), (mail("a@clinic.Example"),)),
    "another mailbox": Case((mail("A@clinic.example"),), (mail("a@clinic.example"),),
                            sentence="the mail address 'A@clinic.example' is not among"),
    "mailbox at a host": Case((mail("a@clinic.example"),), (mail("clinic.example"),)),
    "mailbox at another host": Case((mail("a@x.clinic.example"),), (mail("clinic.example"),),
                                    sentence=NOT_PERMITTED),
    "mailbox in a domain": Case((mail("a@x.clinic.example"),), (mail(".clinic.example"),)),
    "mailbox not in a domain": Case((mail("a@clinic.example"),), (mail(".clinic.example"),),
                                    sentence=NOT_PERMITTED),
    "an asterisk is no wildcard": Case((mail("a@clinic.example"),), (mail("*@clinic.example"),),
                                       sentence=NOT_PERMITTED),
    "two at signs": Case((mail("a@b@clinic.example"),), (mail("clinic.example"),),
                         sentence=UNCOMPARABLE),
    "two at signs in what is excluded": Case((mail("a@clinic.example"),), (),
                                             (mail("x@x@clinic.example"),), EXCLUDED),
    "no at sign": Case((mail("clinic.example"),), (mail("clinic.example"),),
                       sentence=UNCOMPARABLE),
    "international mailbox": Case((other(MAILBOX, "a@clinic.example"),), (mail("clinic.example"),)),
    "international mailbox elsewhere": Case((other(MAILBOX, "a@x.example"),),
                                            (mail("clinic.example"),), sentence=NOT_PERMITTED),
    "international mailbox beyond ASCII": Case((other(MAILBOX, "\xe4@clinic.example"),),
                                               (mail("clinic.example"),), sentence=UNCOMPARABLE),
    # URI
    "URI": Case((uri("https://ct.example:8080/a?b@c"),), (uri("ct.example"),)),
    "URI below": Case((uri("https://x.ct.example/"),), (uri("ct.example"),),
                      sentence="the URI 'https://x.ct.example/' is not among"),
    "URI in a domain": Case((uri("https://x.ct.example/"),), (uri(".ct.example"),)),
    "URI with a user": Case((uri("https://ct.example@evil.example/"),), (uri("ct.example"),),
                            sentence=NOT_PERMITTED),
    "URI with an address": Case((uri("https://192.0.2.1/"),), (uri("ct.example"),),
                                sentence=UNCOMPARABLE),
    "URI without a host": Case((uri("urn:oid:1.2.3"),), (), (uri("ct.example"),), UNCOMPARABLE),
    "URI that is none": Case((uri("https://[::1/"),), (uri("ct.example"),), sentence=UNCOMPARABLE),
    # addresses
    "address": Case((ip(*HOST),), (NET,)),
    "another address": Case((ip(192, 0, 3, 7),), (NET,),
                            sentence="the IP address '192.0.3.7' is not among"),
    "excluded address": Case((ip(*HOST),), (), (NET,), EXCLUDED),
    "one address": Case((ip(*HOST),), (ip(*HOST, 255, 255, 255, 255),)),
    "address of version 6": Case((ip(*SIX),), (SIX_NET,)),
    "address of another version": Case((ip(*SIX),), (NET,), sentence=NOT_PERMITTED),
    "excluded address of version 6": Case((ip(*SIX),), (), (SIX_NET,), EXCLUDED),
    "a network for a name": Case((NET,), (NET,), sentence=UNCOMPARABLE),
    "a network without a mask": Case((ip(*HOST),), (ip(*HOST),), sentence=NOT_PERMITTED),
    "an excluded network without a mask": Case((ip(1, 2, 3, 4),), (), (ip(*HOST),), EXCLUDED),
    "a mask with a hole": Case((ip(*HOST),), (ip(192, 0, 2, 0, 255, 0, 255, 0),),
                               sentence=NOT_PERMITTED),
    # other forms
    "another type of other name": Case((other(UPN, "a@b"),), (), (other("1.2.3.4", "x"),)),
    "an other name of the type": Case((other(UPN, "a@b"),), (other(UPN, "a@b"),),
                                      sentence=f"the other name {UPN} cannot be compared"),
    "an excluded other name, and none": Case((dns("ct.example"),), (), (other(UPN, "a"),)),
    "registered ID": Case((registered("1.2.3"),), (registered("1.2"),), sentence=UNCOMPARABLE),
    "no registered ID": Case((dns("ct.example"),), (registered("1.2"),)),
    # what the profile does not allow
    "a minimum": Case((dns("ct.example"),), ({"base": dns("example"), "minimum": 1},),
                      sentence=NOT_PERMITTED),
    "a maximum": Case((dns("ct.example"),), (), ({"base": dns("x.example"), "maximum": 3},),
                      EXCLUDED),
    "another form of name": Case((dns("ct.example"),), (NET,)),
    "no name": Case((), (dns("clinic.example"), NET, mail("clinic.example"))),
}  # fmt: skip


@pytest.mark.parametrize("below", [False, True], ids=["anchor", "authority below"])
@pytest.mark.parametrize("case", TABLE.values(), ids=TABLE)
def test_alternative_names(case, below):
    root = make("root")
    limited = make("limited", root if below else None, constraints(case.permitted, case.excluded))
    leaf = make("leaf", limited, *([alternatives(*case.names)] if case.names else []), ca=False)
    judged = judge(leaf, root, limited) if below else judge(leaf, limited)
    if not case.sentence:
        assert (judged.trust, judged.reason) == ("trusted", None)
        return
    assert (judged.trust, judged.reason.code) == ("untrusted", "CHAIN_CONSTRAINTS_FAILURE")
    assert "by the Name Constraints of its authorities" in judged.reason.message
    assert case.sentence in judged.reason.message


# --- subjects -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("organization", "trust"),
    [("Clinic", "trusted"), ("CLINIC", "trusted"), ("Clinics", "untrusted"), ("", "untrusted")],
)
def test_subjects(organization, trust):
    anchor = make("anchor", None, constraints([directory("Clinic")]))
    assert judge(make(named("CT", organization), anchor, ca=False), anchor).trust == trust
    anchor = make("anchor", None, constraints((), [directory("Clinic")]))
    other_way = "untrusted" if trust == "trusted" else "trusted"
    assert judge(make(named("CT", organization), anchor, ca=False), anchor).trust == other_way


def test_a_subject_is_checked_besides_its_alternatives():
    anchor = make("anchor", None, constraints([directory("Clinic")]))
    leaf = make(named("CT", "Elsewhere"), anchor, alternatives(directory("Clinic")), ca=False)
    assert judge(leaf, anchor).trust == "untrusted"
    leaf = make(named("CT", "Clinic"), anchor, alternatives(directory("Elsewhere")), ca=False)
    assert judge(leaf, anchor).trust == "untrusted"


def test_two_values_of_one_kind_in_a_part_of_a_name_are_not_one():
    def both(tbs: Any) -> None:
        tbs["subject"] = asn1.Name("", asn1.RDNSequence([asn1.RelativeDistinguishedName([
            {"type": "organization_name", "value": asn1.DirectoryString("utf8_string", text)}
            for text in ("Evil", "Clinic")])]))  # fmt: skip

    anchor = make("anchor", None, constraints([directory("Clinic")]))
    assert judge(make("CT", anchor, ca=False, change=both), anchor).trust == "untrusted"


@pytest.mark.parametrize(("text", "permits", "excludes"), [
    ("Clinic", True, True), ("Other", False, False),
    ("\u05d0Clinic\u05d0 x", False, True),  # nobody can prepare it, so nobody can compare it
])  # fmt: skip
def test_what_cannot_be_prepared_may_be_what_is_excluded(text, permits, excludes):
    def organized(tbs: Any) -> None:
        tbs["subject"] = asn1.Name.build({"organization_name": text, "common_name": "CT"})

    for constraint, trusted in (
        (constraints([directory("Clinic")]), permits),
        (constraints((), [directory("Clinic")]), not excludes),
    ):
        anchor = make("anchor", None, constraint)
        leaf = make("leaf", anchor, ca=False, change=organized)
        assert (judge(leaf, anchor).trust == "trusted") == trusted


def test_a_mail_address_in_the_subject():
    def addressed(tbs: Any) -> None:
        tbs["subject"] = asn1.Name.build({"common_name": "CT", "email_address": "a@other.example"})

    anchor = make("anchor", None, constraints([mail("clinic.example")]))
    assert judge(make("CT", anchor, ca=False), anchor).trust == "trusted"
    leaf = make("CT", anchor, ca=False, change=addressed)
    assert "the mail address 'a@other.example'" in judge(leaf, anchor).reason.message
    # with alternative names as well: whoever looks at the subject alone is not misled
    leaf = make("CT", anchor, alternatives(dns("ct.example")), ca=False, change=addressed)
    assert judge(leaf, anchor).trust == "untrusted"


# --- paths ----------------------------------------------------------------------------------------


def test_authorities_in_between_are_checked_as_well():
    anchor = make("anchor", None, constraints([dns("clinic.example")]))
    inside, outside = alternatives(dns("x.clinic.example")), alternatives(dns("x.example"))
    good, bad = make("ca", anchor, inside), make("ca", anchor, outside)
    for between, trust in ((good, "trusted"), (bad, "untrusted")):
        leaf = make("leaf", between, inside, ca=False)
        assert judge(leaf, anchor, between).trust == trust


def test_what_is_permitted_only_narrows():
    anchor = make("anchor", None, constraints([dns("clinic.example")]))
    wider = make("ca", anchor, constraints([dns("example")]))
    for host, trust in (("ct.clinic.example", "trusted"), ("ct.example", "untrusted")):
        leaf = make("leaf", wider, alternatives(dns(host)), ca=False)
        assert judge(leaf, anchor, wider).trust == trust


def test_a_key_change_of_an_authority_is_not_constrained_and_its_leaf_is():
    outside = alternatives(dns("ca.example"))
    anchor = make("anchor", None, outside, constraints([dns("clinic.example")]))
    again = make("anchor", anchor, outside, key_of="another key")
    assert judge(make("leaf", again, ca=False), anchor, again).trust == "trusted"
    leaf = make("leaf", again, alternatives(dns("ct.example")), ca=False)
    assert judge(leaf, anchor, again).trust == "untrusted"
    self_issued = make("anchor", anchor, outside, ca=False, key_of="a third key")
    assert judge(self_issued, anchor).trust == "untrusted"


def test_other_anchors_do_not_matter():
    one = make("one", None, constraints([dns("clinic.example")]))
    two = make("one", None)  # the same name and key, without constraints
    leaf = make("leaf", one, alternatives(dns("ct.example")), ca=False)
    assert judge(leaf, one).trust == "untrusted"
    assert judge(leaf, two).trust == "trusted"


# --- work -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("names", ["alternative", "mail in the subject"])
def test_hostile_constraints_cost_bounded_work(names):
    many = [dns(f"x{number}.test") for number in range(2048)]
    if names == "alternative":
        hosts = alternatives(*(dns(f"t{number}.test") for number in range(2048)))
        anchor = make("anchor", None, constraints([dns("test"), *many], many))
        leaf = make("leaf", anchor, hosts, ca=False)
    else:

        def addressed(tbs: Any) -> None:
            tbs["subject"] = asn1.Name("", asn1.RDNSequence([
                asn1.RelativeDistinguishedName(
                    [{"type": "email_address", "value": f"t{number}@test"}])
                for number in range(200)
            ]))  # fmt: skip

        mails = [mail(f"x{number}.test") for number in range(2048)]
        anchor = make("anchor", None, constraints([mail("test")], mails))
        leaf = make("leaf", anchor, ca=False, change=addressed)
    began = time.process_time()
    judged = judge(leaf, anchor)
    assert time.process_time() - began < 10
    assert (judged.trust, judged.reason.code) == ("untrusted", "CHAIN_CONSTRAINTS_FAILURE")
    assert "too many names and Name Constraints" in judged.reason.message


def test_the_bound_is_one_for_all_paths_of_a_decision(monkeypatch):
    monkeypatch.setattr("dicomseal.trust.pool.MAX_COMPARISONS", 30)
    hosts = [dns(f"x{number}.test") for number in range(8)]
    anchor = make("anchor", None, constraints((), hosts))
    paths = [make("ca", anchor, constraints((), [dns("leaf.test")])) for _ in range(4)]
    leaf = make("leaf", paths[0], alternatives(dns("leaf.test")), ca=False)
    assert "is excluded" in judge(leaf, anchor, paths[0]).reason.message
    counted: list[int] = []
    spend = name_constraints.Constraints._spend

    def count(self: Any, number: int) -> None:
        counted.append(number)
        spend(self, number)

    monkeypatch.setattr(name_constraints.Constraints, "_spend", count)
    assert judge(leaf, anchor, *paths).trust == "untrusted"
    assert sum(counted) < 60
