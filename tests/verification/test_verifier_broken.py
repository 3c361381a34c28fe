"""Broken signatures and tampered objects: each with its exact answer and reason."""

from __future__ import annotations

import copy
import io
import re

import pki
import pytest
from _write_stds import ITEM
from pydicom import dcmread
from pydicom.uid import ExplicitVRBigEndian

from dicomseal import ALLOW_WEAK, sign_file, verify
from dicomseal.signature.items import encode

MAC, SIGNATURE = "MACParametersSequence", "DigitalSignaturesSequence"
NONE = "FORMAT_FAILURE"
CRYPTO, HASH, LOST = "SIG_CRYPTO_FAILURE", "HASH_FAILURE", "SIGNED_DATA_NOT_FOUND"
CONSTRAINT, NO_CERTIFICATE = "CRYPTO_CONSTRAINTS_FAILURE", "NO_SIGNING_CERTIFICATE_FOUND"


def signed(folder, elements=pki.SMALL, who="rsa", data=None, **options):
    source = folder / "in.dcm"
    source.write_bytes(data or pki.small(elements=elements))
    sign_file(source, folder / "out.dcm", *pki.member(who).pair, policy=ALLOW_WEAK, **options)
    return (folder / "out.dcm").read_bytes()


@pytest.fixture(scope="module")
def example(tmp_path_factory):
    """A small object that is signed; its bytes."""
    return signed(tmp_path_factory.mktemp("example"))


def edited(data, edit):
    """The object after something was done to it as a data set; what pydicom writes then."""
    dataset = dcmread(io.BytesIO(data))
    macs, signatures = dataset.get(MAC), dataset.get(SIGNATURE)
    edit(dataset, macs[0], signatures[0])
    out = io.BytesIO()
    dataset.save_as(out)
    return out.getvalue()


def put(part, keyword, value):
    """An edit: set an attribute of the data set (d), the MAC Parameters (m), the signature (s)."""

    def edit(d, m, s):
        setattr({"d": d, "m": m, "s": s}[part], keyword, value)

    return edit


def drop(part, keyword):
    def edit(d, m, s):
        delattr({"d": d, "m": m, "s": s}[part], keyword)

    return edit


def on_signature(change):
    def edit(d, m, s):
        s.Signature = change(s.Signature)

    return edit


def flipped(value, bit):
    value = bytearray(value)
    value[bit // 8] ^= 1 << bit % 8
    return bytes(value)


def listed(*more):
    def edit(d, m, s):
        m.DataElementsSigned = [*m.DataElementsSigned, *more]

    return edit


def other_pixels(syntax):
    def edit(d, m, s):
        d.PixelData = bytes(16)
        m.MACCalculationTransferSyntaxUID = syntax

    return edit


def two_macs(d, m, s):
    m.MACIDNumber = 7
    d.MACParametersSequence.append(m)


# what was done: (edit, integrity, code, what the sentence says)
CASES = {
    "no MAC item for the ID": (
        put("m", "MACIDNumber", 7), "altered", NONE,
        r"no MAC Parameters item \(4FFE,0001\) has the signature's MAC ID 0"),
    "two MAC items, neither for the ID": (
        two_macs, "altered", NONE, "no MAC Parameters item .* MAC ID 0"),
    "no MAC Parameters": (drop("d", MAC), "altered", NONE, "no MAC Parameters item"),
    "empty MAC Parameters": (put("d", MAC, []), "altered", NONE, "no MAC Parameters item"),
    "MAC ID missing": (
        drop("s", "MACIDNumber"), "altered", NONE, r"has no MAC ID Number \(0400,0005\)"),
    "MAC ID changed": (put("s", "MACIDNumber", 1), "altered", NONE, "MAC ID 1"),
    "MAC algorithm missing": (
        drop("m", "MACAlgorithm"), "altered", NONE, r"no MAC Algorithm \(0400,0015\)"),
    "MAC algorithm unknown": (
        put("m", "MACAlgorithm", "MD2"), "unverifiable", CONSTRAINT,
        "the MAC Algorithm 'MD2' is not known"),
    "MAC algorithm in lower case": (
        put("m", "MACAlgorithm", "sha256"), "unverifiable", CONSTRAINT, "'sha256'"),
    "MAC algorithm another": (
        put("m", "MACAlgorithm", "SHA512"), "altered", CRYPTO, r"Signature \(0400,0120\)"),
    "MAC syntax missing": (
        drop("m", "MACCalculationTransferSyntaxUID"), "altered", NONE, r"\(0400,0010\)"),
    "MAC syntax implicit": (
        put("m", "MACCalculationTransferSyntaxUID", pki.IMPLICIT), "altered", NONE,
        f"{pki.IMPLICIT} is not explicit VR little endian"),
    "MAC syntax big endian": (
        put("m", "MACCalculationTransferSyntaxUID", str(ExplicitVRBigEndian)), "altered", NONE,
        "is not explicit VR little endian"),
    "MAC syntax compressed": (
        other_pixels(pki.JPEG), "unverifiable", LOST,
        f"signed in transfer syntax {pki.JPEG} and are now in {pki.EXPLICIT}"),
    "MAC syntax unknown": (
        other_pixels("1.2.3"), "unverifiable", LOST, "Transfer Syntax 1.2.3 is not known"),
    "MAC syntax fits": (other_pixels(pki.EXPLICIT), "altered", HASH, "content was changed"),
    "nothing listed": (
        put("m", "DataElementsSigned", []), "altered", NONE,
        r"Data Elements Signed \(0400,0020\) lists nothing"),
    "list missing": (drop("m", "DataElementsSigned"), "altered", NONE, "lists nothing"),
    "list shortened": (
        lambda d, m, s: m.DataElementsSigned.pop(), "altered", HASH, "content was changed"),
    "group length listed": (
        listed(0x00100000), "altered", NONE, r"lists \(0010,0000\), which can never be signed"),
    "FFFA listed": (listed(0xFFFAFFFA), "altered", NONE, r"lists \(FFFA,FFFA\)"),
    "length to end listed": (listed(0x00080001), "altered", NONE, r"lists \(0008,0001\)"),
    "group 2 listed": (listed(0x00020010), "altered", NONE, r"lists \(0002,0010\)"),
    "MAC Parameters listed": (listed(0x4FFE0001), "altered", NONE, r"lists \(4FFE,0001\)"),
    "an item listed": (listed(0xFFFEE000), "altered", NONE, r"lists \(FFFE,E000\)"),
    "value changed": (put("d", "PatientID", "4321"), "altered", HASH, "content was changed"),
    "element gone": (drop("d", "PatientID"), "altered", HASH, "content was changed"),
    "item gone": (
        lambda d, m, s: d.BeamSequence.pop(), "altered", HASH, "content was changed"),
    "Signature missing": (drop("s", "Signature"), "altered", NONE, "absent or empty"),
    "Signature empty": (
        on_signature(lambda _: b""), "altered", NONE, r"\(0400,0120\) is absent or empty"),
    "Signature zero": (on_signature(lambda v: bytes(len(v))), "altered", NONE, "empty"),
    "Signature cut": (on_signature(lambda v: v[:-2]), "altered", CRYPTO, "was not made by"),
    "Signature longer": (on_signature(lambda v: v + b"\0\0"), "altered", CRYPTO, "was not made"),
    "Signature flipped": (
        on_signature(lambda v: flipped(v, 77)), "altered", CRYPTO, "was not made by"),
    "another key": (
        put("s", "CertificateOfSigner", pki.member("rsa two").der), "altered", CRYPTO,
        "was not made by this certificate's key"),
    "another kind of key": (
        put("s", "CertificateOfSigner", pki.member("ec").der), "altered", CRYPTO, "was not made"),
    "certificate missing": (
        drop("s", "CertificateOfSigner"), "altered", NO_CERTIFICATE,
        r"Certificate of Signer \(0400,0115\) is absent"),
    "certificate empty": (
        put("s", "CertificateOfSigner", b""), "altered", NO_CERTIFICATE, "is absent"),
    "certificate garbage": (
        put("s", "CertificateOfSigner", b"garbage!"), "unverifiable", NO_CERTIFICATE,
        "the certificate cannot be parsed"),
    "certificate cut": (
        put("s", "CertificateOfSigner", pki.member("rsa").der[:400]), "unverifiable",
        NO_CERTIFICATE, "the certificate is cut short: 400 of "),
    "certificate of a kind not known": (
        put("s", "CertificateOfSigner", pki.member("ed25519").der), "unverifiable", CONSTRAINT,
        "a key of the kind Ed25519"),
    "certificate type unknown": (
        put("s", "CertificateType", "PGP"), "unverifiable", NO_CERTIFICATE,
        "the Certificate Type 'PGP' is not known"),
    "certificate type missing": (
        drop("s", "CertificateType"), "unverifiable", NO_CERTIFICATE, "Certificate Type ''"),
    "UID changed": (put("s", "DigitalSignatureUID", "1.2"), "altered", HASH, "content was"),
    "time changed": (put("s", "DigitalSignatureDateTime", "2020"), "altered", HASH, "content was"),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_broken(backend, example, case):
    edit, integrity, code, sentence = case
    report = verify(edited(example, edit), integrity_only=True)
    (signature,) = report.signatures
    assert (signature.integrity, signature.integrity_reason.code) == (integrity, code)
    assert re.search(sentence, signature.integrity_reason.message)
    assert report.verdict == {"altered": "failed", "unverifiable": "indeterminate"}[integrity]


def harmless_list(d, m, s):
    m.DataElementsSigned = [*m.DataElementsSigned[::-1], 0x00100010, 0x00104000]


HARMLESS = {
    "nothing": lambda d, m, s: None,
    "order, twice and absent in the list": harmless_list,
    "what is not signed": put("d", "PatientComments", "new"),
    "MAC syntax compressed, pixels as they were": put(
        "m", "MACCalculationTransferSyntaxUID", pki.JPEG
    ),
    "another MAC item": lambda d, m, s: d.MACParametersSequence.append(
        item_like(m, MACIDNumber=9, MACAlgorithm="MD2")
    ),
}


def item_like(item, **changes):
    copied = copy.deepcopy(item)
    for name, value in changes.items():
        setattr(copied, name, value)
    return copied


@pytest.mark.parametrize("edit", HARMLESS.values(), ids=HARMLESS)
def test_not_broken(backend, example, edit):
    assert verify(edited(example, edit), integrity_only=True).verdict == "passed"


def test_weak_keys_are_named(tmp_path):
    (signature,) = verify(signed(tmp_path, who="weak", mac="MD5")).signatures
    assert signature.integrity == "intact"
    assert signature.weak == ("MAC MD5", "key RSA 1024")


@pytest.mark.parametrize(
    ("stored", "said", "message"),
    [
        ("20261122004100", "2026-11-22T00:41:00", "no offset from UTC: ambiguous"),
        ("yesterday", "yesterday", "DateTime 'yesterday' is not a time"),
        ("20261122004100-0130", "2026-11-22T00:41:00-01:30", ""),
        ("202611+0500", "2026-11-01T00:00:00+05:00", ""),
        ("20261122004100.5+0000", "2026-11-22T00:41:00.500000+00:00", ""),
    ],
)
def test_times(example, stored, said, message):
    time = dcmread(io.BytesIO(example)).DigitalSignaturesSequence[0].DigitalSignatureDateTime
    data = example.replace(str(time).encode(), stored.ljust(len(str(time))).encode())
    (signature,) = verify(data).signatures
    assert signature.datetime == said
    others = [one for one in signature.messages if not one.startswith("dated ")]  # see counted_time
    assert [message in one for one in others] == [True] * bool(message)


# --- two readers, two contents -------------------------------------------------------------------

NAME = encode([(0x00100010, "PN", b"Doe^John")])
ID = encode([(0x00100020, "LO", b"1234")])
INNER = encode([(0x300A0112, "IS", b"0 ")])


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        (NAME, NAME + NAME.replace(b"John", b"Evil"), r"(0010,0010) occurs twice"),
        (NAME, NAME.replace(b"John", b"Evil") + NAME, r"(0010,0010) occurs twice"),
        (ID, ID + NAME, r"(0010,0010) stands out of order"),
        (NAME + ID, ID + NAME, r"(0010,0010) stands out of order"),
        (INNER, INNER + INNER, r"(300A,0112) occurs twice"),
    ],
)
def test_two_contents(backend, tmp_path, old, new, sentence):
    data = signed(tmp_path, data=pki.part10(pki.undefined(pki.SMALL)))
    assert verify(data, integrity_only=True).verdict == "passed"
    assert data.count(old) == 1
    report = verify(data.replace(old, new), integrity_only=True)
    assert report.verdict == "failed"
    assert report.reasons[0].code == NONE
    assert report.reasons[0].message == f"{sentence}: two readers may see two contents"


def test_a_second_list_of_signatures(tmp_path, example):
    """Hidden behind the first, it would be seen by some readers only."""
    start = example.index(bytes.fromhex("FAFFFAFF 5351"))
    report = verify(example + example[start:], integrity_only=True)
    assert report.verdict == "failed"
    assert "(FFFA,FFFA) occurs twice" in report.reasons[0].message


@pytest.mark.parametrize("count", [1, 2, 7, 8, 512])
def test_trailing_zeros(backend, example, count):
    assert verify(example + bytes(count), integrity_only=True).verdict == "passed"
    assert verify(example + bytes(count) + b"\1", integrity_only=True).verdict == "error"


# --- every bit -----------------------------------------------------------------------------------

BITS = [
    (0x00080018, "UI", b"2.25.1234\0"),
    (0x00100010, "PN", b"Doe^John"),
    (0x00100020, "LO", b"1234"),  # not signed
    (0x00400275, "SQ", [[(0x00400007, "LO", b"abcd")], [(0x00400007, "LO", b"")]]),
    (0x7FE00010, "OW", bytes(range(4))),
]
SIGNED = [tag for tag, _, _ in BITS if tag != 0x00100020]


def places(data, form):
    """Which bytes are signed and which are free, by the rules of PS3.3 C.12.1.1.3.1.1."""
    free = set(range(128))
    taken = set()
    position = data.index(bytes.fromhex("08001800"))
    for element in BITS:
        raw = pki.undefined([element]) if form == "undefined" else encode([element])
        position = data.index(raw, position)
        here = range(position, position + len(raw))
        tag, vr, value = element
        if tag == 0x00100020:
            free |= set(here[8:])
        elif vr == "SQ":
            taken |= set(here[:6])
            free |= set(here[6:8])
            inner = encode(value[0])
            at = position + raw.index(inner)
            taken |= set(range(at, at + len(inner)))
            taken |= {n for n in here if raw[n - position :].startswith(ITEM)}
        else:
            long = vr == "OW"
            taken |= set(here[:6]) | set(here[8 if long else 6 :])
            free |= set(here[6:8]) if long else set()
        position += len(raw)
    own = data.index(bytes.fromhex("00040500 5553"), data.index(bytes.fromhex("FAFFFAFF 5351")))
    certificate = data.index(bytes.fromhex("00041501 4F42"))
    return sorted(taken | set(range(own, certificate))), sorted(free)


@pytest.mark.parametrize("form", ["explicit lengths", "undefined"])
def test_every_bit(backend, tmp_path, form):
    source = pki.undefined(BITS) if form == "undefined" else encode(BITS)
    data = signed(tmp_path, data=pki.part10(source), tags=SIGNED)
    assert verify(data, integrity_only=True).verdict == "passed"
    taken, free = places(data, form)
    assert len(taken) > 150
    for position in taken:
        for bit in range(8):
            report = verify(flipped(data, position * 8 + bit), integrity_only=True)
            assert report.verdict != "passed", (position, bit)
            assert "intact" not in {s.integrity for s in report.signatures}, (position, bit)
    for position in free:
        for bit in range(8):
            report = verify(flipped(data, position * 8 + bit), integrity_only=True)
            assert report.verdict == "passed", (position, bit, report)


def test_every_byte_of_every_form(tmp_path):
    """No change makes anything but a report; an intact signature still says the same."""
    for form in pki.SYNTAX_AND_FORM:
        data = signed(tmp_path, data=pki.small(form), who="ec")
        for position in range(132, len(data)):
            values = (0x00, 0xFF, data[position] ^ 0x20)
            if form == "implicit":  # every change there is followed by a search for other VRs
                values = values[position % 3 :][:1]
            for value in values:
                changed = data[:position] + bytes([value]) + data[position + 1 :]
                for signature in verify(changed).signatures:
                    assert signature.integrity_reason or signature.integrity == "intact"


def test_an_unknown_vr_lost_in_implicit(backend, tmp_path):
    """Private elements whose VR implicit VR cannot tell: undecided, not altered."""
    private = [(0x00090010, "LO", b"NOBODY")]
    private += [(0x00091001 + n, "LO", b"secret") for n in range(3)]
    plain = sorted([*private, *pki.SMALL])
    data = signed(tmp_path, plain)
    dataset = dcmread(io.BytesIO(data))
    plain += [
        (0x4FFE0001, "SQ", items_of(dataset[MAC].value)),
        (0xFFFAFFFA, "SQ", items_of(dataset[SIGNATURE].value)),
    ]
    report = verify(pki.part10(encode(sorted(plain), True), pki.IMPLICIT), integrity_only=True)
    assert report.verdict == "indeterminate"
    reason = report.signatures[0].integrity_reason
    assert reason.code == LOST
    assert "(0009,1001)" in reason.message


def items_of(sequence):
    """The items of a read sequence as lists of elements, their values as stored."""
    raw = [[item.get_item(tag) for tag in sorted(item.keys())] for item in sequence]
    return [[(int(e.tag), e.VR, e.value) for e in elements] for elements in raw]


@pytest.mark.parametrize(("old", "named"), [(ID, "(0010,0020)"), (INNER, "(300A,00B0)")])
def test_became_un(backend, tmp_path, old, named):
    """Some converters lose a VR; a reader who knows it could still decide."""
    data = signed(tmp_path, data=pki.part10(pki.undefined(pki.SMALL)))
    tag = int.from_bytes(old[:2], "little") << 16 | int.from_bytes(old[2:4], "little")
    data = data.replace(old, encode([(tag, "UN", old[8:])]))
    report = verify(data, integrity_only=True)
    assert report.verdict == "indeterminate"
    (signature,) = report.signatures
    assert (signature.integrity, signature.integrity_reason.code) == ("unverifiable", LOST)
    assert f"the VR of {named} is UN or was lost" in signature.integrity_reason.message


def test_a_signature_in_an_item_of_undefined_length(backend, tmp_path):
    data = pki.part10(pki.undefined([(0x300A00B0, "SQ", [[(0x300A0112, "IS", b"0 ")]])]))
    data = signed(tmp_path, data=data, items="BeamSequence[0]")
    report = verify(data, integrity_only=True, unsigned="accept")
    assert (report.verdict, report.signatures[0].location) == ("passed", "BeamSequence[0]")
