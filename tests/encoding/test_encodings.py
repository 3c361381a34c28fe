"""The canonical stream does not depend on how the source was encoded (PS3.5 Annex A)."""

from __future__ import annotations

import _write_stds as std
import pytest
from _write_stds import H, item, sequence

IMAGES_IMPLICIT = H(std.REFERENCED_IMAGES_IMPLICIT)

# --- big endian -----------------------------------------------------------------------------------


@pytest.mark.parametrize("vr", std.BIG_ENDIAN)
def test_big_endian_swaps_by_vr(backend, vr):
    stored, hashed = map(H, std.BIG_ENDIAN[vr])
    assert backend.stream(stored, big_endian=True) == hashed


def test_big_endian_sequence(backend):
    """One whose lengths are defined, one whose are not."""
    stored, hashed = map(H, std.BIG_ENDIAN["UL"])
    defined = H("0008 1140  5351 0000  00000014  FFFE E000  0000000C") + stored
    undefined = H("0008 1140  5351 0000  FFFFFFFF  FFFE E000  FFFFFFFF") + stored
    undefined += std.ITEM_END_BIG + std.SEQUENCE_END_BIG
    canonical = std.REFERENCED_IMAGES + std.ITEM + hashed + std.END
    assert backend.stream(defined, big_endian=True) == canonical
    assert backend.stream(undefined + stored, big_endian=True) == canonical + hashed


def test_big_endian_encapsulated(backend):
    """Not in any transfer syntax of the standard, yet unambiguous."""
    data = H("7FE0 0010  4F57 0000  FFFFFFFF  FFFE E000  00000002  0102") + std.SEQUENCE_END_BIG
    hashed = std.PIXEL_DATA_OB + std.ITEM + H("0102") + std.END
    assert backend.stream(data, big_endian=True) == hashed


def test_big_endian_un_sequence_is_little_endian_inside(backend):
    """PS3.5 Section 6.2.2; what follows it is big endian again."""
    stored, hashed = map(H, std.IMPLICIT["public"])
    unknown = H("0009 1010  554E 0000  FFFFFFFF") + item(stored) + std.SEQUENCE_END
    big, after = map(H, std.BIG_ENDIAN["US"])
    assert backend.stream(unknown + big, big_endian=True) == after
    assert backend.stream(unknown + big, 2, big_endian=True) == hashed


def test_big_endian_sequence_goes_on_after_un(backend):
    big, hashed = map(H, std.BIG_ENDIAN["UN"])
    us, us_hashed = map(H, std.BIG_ENDIAN["US"])
    two = H("FFFE E000  FFFFFFFF") + big + std.ITEM_END_BIG
    data = H("0008 1140  5351 0000  FFFFFFFF") + two * 2 + std.SEQUENCE_END_BIG
    assert hashed == b""
    assert backend.stream(data + us, big_endian=True) == us_hashed


def test_big_endian_odd_rest_of_a_word_is_kept(backend):
    stored = H("0028 1234  5553  0003  010203")
    assert backend.stream(stored, big_endian=True) == H("2800 3412  5553  0400  02010300")


@pytest.mark.parametrize(("vr", "width"), [("OW", 2), ("OL", 4), ("OD", 8)])
@pytest.mark.parametrize("before", range(3))
def test_big_endian_large_value(backend, vr, width, before):
    """Wherever in its block the compiled encoder stands, it cuts no word in two."""
    value = bytes(n % 251 for n in range(160_000))
    swapped = b"".join(value[k : k + width][::-1] for k in range(0, len(value), width))
    data = std.FILE_BIG_ENDIAN[:10] * before
    data += H("7FE0 0010") + vr.encode() + H("0000") + len(value).to_bytes(4, "big") + value
    hashed = std.MODALITY * before
    hashed += H("E07F 1000") + vr.encode() + H("0000") + len(value).to_bytes(4, "little") + swapped
    assert backend.stream(data, big_endian=True) == hashed


# --- implicit VR --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", std.IMPLICIT)
def test_implicit_vr(backend, name):
    stored, hashed = map(H, std.IMPLICIT[name])
    assert backend.stream(stored, implicit=True) == hashed


@pytest.mark.parametrize("name", ["public", "US or SS without a rule"])
def test_implicit_vr_in_a_sequence(backend, name):
    stored, hashed = map(H, std.IMPLICIT[name])
    canonical = std.REFERENCED_IMAGES + std.ITEM + hashed + std.END
    assert backend.stream(sequence(item(stored), IMAGES_IMPLICIT), implicit=True) == canonical
    defined = sequence(item(stored, True), IMAGES_IMPLICIT, True)
    assert backend.stream(defined, implicit=True) == canonical


def test_implicit_unknown_vr_is_reported(backend):
    stored = H(std.IMPLICIT["no creator"][0])
    assert backend.covered(stored, tags=[0x00091001], implicit=True) == (b"", (0, 1, (0x00091001,)))


def test_private_vr_by_creator(backend):
    stored = H(std.CREATOR_GEMS_IDEN + std.PRIVATE_SL)
    hashed = H(std.CREATOR_GEMS_IDEN_HASHED + std.PRIVATE_SL_HASHED)
    assert backend.stream(stored, implicit=True) == hashed


def test_private_vr_by_creator_in_another_block(backend):
    stored = H(std.CREATOR_GEMS_IDEN.replace("1000", "A000") + "0900 27A0  04000000  01020304")
    hashed = H(std.CREATOR_GEMS_IDEN_HASHED.replace("1000", "A000") + "0900 27A0  534C  0400")
    assert backend.stream(stored, implicit=True) == hashed + b"\1\2\3\4"


@pytest.mark.parametrize("padding", [b" \0", b"\0\0", b"  "])
def test_private_creator_may_be_padded(backend, padding):
    creator = H("0900 1000  0E000000") + b"GEMS_IDEN_01" + padding
    hashed = H("0900 1000  4C4F  0E00") + b"GEMS_IDEN_01" + padding
    stored = creator + H(std.PRIVATE_SL)
    assert backend.stream(stored, implicit=True) == hashed + H(std.PRIVATE_SL_HASHED)


@pytest.mark.parametrize("creator", ["", "4D452020", "FFFE"])
def test_private_vr_of_an_unknown_creator(backend, creator):
    head = H(f"0900 1000  {len(creator) // 2:02X}000000  {creator}")
    data, coverage = backend.covered(head + H(std.PRIVATE_SL), implicit=True)
    assert data == H(f"0900 1000  4C4F  {len(creator) // 2:02X}00  {creator}")
    assert coverage == (1, 1, ())


def test_private_creator_counts_in_its_own_data_set(backend):
    """PS3.5 Section 7.8.1: an item reserves its blocks itself."""
    inside = sequence(item(H(std.PRIVATE_SL)), H("1000 0210"))
    data, coverage = backend.covered(H(std.CREATOR_GEMS_IDEN) + inside, implicit=True)
    assert (data, coverage) == (H(std.CREATOR_GEMS_IDEN_HASHED), (1, 1, ()))


@pytest.mark.parametrize(("signed", "vr"), [(0, "US"), (1, "SS")])
def test_us_or_ss_by_pixel_representation(backend, signed, vr):
    stored = H(std.PIXEL_REPRESENTATION[signed] + std.SMALLEST_VALUE)
    hashed = H(std.PIXEL_REPRESENTATION_HASHED[signed] + std.SMALLEST_VALUE_HASHED[vr])
    assert backend.stream(stored, implicit=True) == hashed


@pytest.mark.parametrize(("signed", "vr"), [(0, "US"), (1, "SS")])
def test_us_or_ss_by_pixel_representation_further_out(backend, signed, vr):
    """The main data set's Pixel Representation stands behind the sequence."""
    inner = sequence(item(H(std.SMALLEST_VALUE)), IMAGES_IMPLICIT)
    outer = sequence(item(inner), H("0800 1511"))
    stored = outer + H(std.PIXEL_REPRESENTATION[signed])
    inside = std.REFERENCED_IMAGES + std.ITEM + H(std.SMALLEST_VALUE_HASHED[vr]) + std.END
    hashed = std.REFERENCED_SERIES + std.ITEM + inside + std.END
    assert backend.stream(stored, implicit=True) == (
        hashed + H(std.PIXEL_REPRESENTATION_HASHED[signed])
    )


def test_us_or_ss_by_the_nearest_pixel_representation(backend):
    """The item's own first; that of another item does not count."""
    signed = item(H(std.PIXEL_REPRESENTATION[1] + std.SMALLEST_VALUE))
    unsigned = item(H(std.SMALLEST_VALUE))
    stored = sequence(signed + unsigned, IMAGES_IMPLICIT) + H(std.PIXEL_REPRESENTATION[0])
    hashed = std.REFERENCED_IMAGES
    hashed += std.ITEM + H(std.PIXEL_REPRESENTATION_HASHED[1] + std.SMALLEST_VALUE_HASHED["SS"])
    hashed += std.ITEM + H(std.SMALLEST_VALUE_HASHED["US"]) + std.END
    assert backend.stream(stored, implicit=True) == hashed + H(std.PIXEL_REPRESENTATION_HASHED[0])


@pytest.mark.parametrize(
    ("entries", "vr"), [("0100", "5553  0200"), ("0001", "4F57 0000  02000000")]
)
def test_lut_data_by_the_number_of_entries(backend, entries, vr):
    """PS3.3 C.11.1.1.1: US where LUT Descriptor names one entry, else OW."""
    stored = H(f"2800 0230  06000000  {entries}00001000") + H("2800 0630  02000000  0102")
    hashed = H(f"2800 0230  5553  0600  {entries}00001000") + H(f"2800 0630  {vr}  0102")
    assert backend.stream(stored, implicit=True) == hashed


def test_lut_data_too_long_for_us_is_ow(backend):
    stored = H("2800 0230  06000000  010000001000  2800 0630  00000200") + bytes(0x20000)
    hashed = H("2800 0230  5553  0600  010000001000  2800 0630  4F57 0000  00000200")
    assert backend.stream(stored, implicit=True) == hashed + bytes(0x20000)


def test_choose_sets_what_the_signer_may_have_had(backend):
    """A signature made over explicit VR may have had OB where implicit VR gives OW."""
    stored = H(std.IMPLICIT["OB or OW"][0])
    index = backend.Index(H(std.SMALLEST_VALUE) + stored, implicit=True)
    assert index.guessed == {"ox", "xs"}
    out = bytearray()
    index.choose(1, "SS")
    index.choose(2, "OB")
    index.stream(out.extend)
    assert bytes(out) == H(std.SMALLEST_VALUE_HASHED["SS"]) + H(
        "E07F 1000  4F42 0000  02000000  0102"
    )


def test_explicit_vr_guesses_nothing(backend):
    assert backend.Index(std.PIXEL_DATA_OB + b"\2\0\0\0ab").guessed == set()


def test_implicit_encapsulated_is_ob(backend):
    """PS3.5 Annex A.4."""
    data = H("E07F 1000") + std.UNDEFINED + std.ITEM_EMPTY + std.FRAGMENT + std.SEQUENCE_END
    hashed = std.PIXEL_DATA_OB + std.ITEM + std.FRAGMENT_HASHED + std.END
    assert backend.stream(data, implicit=True) == hashed
    assert backend.Index(data, implicit=True).guessed == set()


def test_implicit_unknown_sequence(backend):
    """Of undefined length and no known VR, it must be a sequence (PS3.5 Section 6.2.2, note)."""
    stored, hashed = map(H, std.IMPLICIT["public"])
    data = sequence(item(stored), H("0900 1010"))
    canonical = H("0900 1010  5351 0000") + std.ITEM + hashed + std.END
    assert backend.stream(data, implicit=True) == canonical


@pytest.mark.parametrize(
    ("tag", "known"),
    [("1000 2000", False), ("2800 0601", False), ("4000 60A1", True), ("E07F 1000", True)],
    ids=["LO", "US or SS", "UT", "OB or OW"],
)
def test_implicit_value_too_long_for_a_short_vr(backend, tag, known):
    """PS3.5 Section 6.2.2 makes it UN in explicit VR, which cannot be signed."""
    number = int.from_bytes(H(tag)[:2], "little") << 16 | int.from_bytes(H(tag)[2:], "little")
    for length, fits in ((0xFFFE, True), (0xFFFF, known), (0x10000, known)):
        stored = H(tag) + length.to_bytes(4, "little") + b"1" * length
        data, coverage = backend.covered(stored, tags=[number], implicit=True)
        assert bool(data) is fits
        assert coverage.unknown == (() if fits else (number,))
        inside = sequence(item(stored), IMAGES_IMPLICIT)
        assert bool(backend.stream(inside, implicit=True)) is fits


def test_implicit_big_endian(backend):
    """No transfer syntax of the standard, but ACR-NEMA files of old are like this."""
    stored = H("0028 0103  00000002  0001  0028 0106  00000002  FFFE")
    hashed = std.PIXEL_REPRESENTATION_HASHED[1] + std.SMALLEST_VALUE_HASHED["SS"]
    assert backend.stream(stored, implicit=True, big_endian=True) == H(hashed)
