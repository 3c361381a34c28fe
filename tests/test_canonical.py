"""The canonical stream, rule by rule: PS3.3 C.12.1.1.3.1.1, on both backends."""

from __future__ import annotations

import _write_stds as std
import pytest
from _write_stds import H, item, sequence

from dicomseal.errors import EncodingError

SQ_HASHED = std.REFERENCED_IMAGES + std.ITEM + std.PATIENT_ID + std.END


# --- plain elements ---------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["PATIENT_ID", "TEXT_VALUE", "PATIENT_SEX_EMPTY", "PATIENT_NAME"])
def test_plain_element_goes_out_with_its_length(backend, name):
    element = getattr(std, name)
    assert backend.stream(element) == element


def test_nonzero_reserved_bytes_become_zero(backend):
    assert backend.stream(std.TEXT_VALUE_RESERVED) == std.TEXT_VALUE


@pytest.mark.parametrize("vr", std.ODD_LENGTHS)
def test_odd_length_is_padded_as_the_vr_asks(backend, vr):
    stored, hashed = map(H, std.ODD_LENGTHS[vr])
    assert backend.stream(stored) == hashed
    assert backend.stream(stored + std.TEXT_VALUE) == hashed + std.TEXT_VALUE
    nested = sequence(item(stored, True), defined=True)
    assert backend.stream(nested) == std.REFERENCED_IMAGES + std.ITEM + hashed + std.END


def test_large_values_keep_every_byte(backend):
    value = bytes(range(256)) * 1024
    element = std.PIXEL_DATA_OW + len(value).to_bytes(4, "little") + value
    odd = std.PIXEL_DATA_OB + (len(value) - 1).to_bytes(4, "little") + value[:-1]
    odd_hashed = std.PIXEL_DATA_OB + len(value).to_bytes(4, "little") + value[:-1] + b"\0"
    data = std.PATIENT_ID + element
    assert backend.stream(data) == data
    assert backend.stream(std.PATIENT_ID + odd) == std.PATIENT_ID + odd_hashed


def test_short_vr_of_65535_bytes_cannot_be_made_even(backend):
    element = std.PATIENT_ID[:6] + b"\xff\xff" + b"x" * 65535
    data, coverage = backend.covered(element, tags=[0x00100020])
    assert (data, coverage.unknown) == (b"", (0x00100020,))


# --- sequences ----------------------------------------------------------------------------------


def test_sequence_without_lengths_and_item_delimitation(backend):
    assert backend.stream(sequence(item(std.PATIENT_ID))) == SQ_HASHED


@pytest.mark.parametrize("sequence_defined", [False, True])
@pytest.mark.parametrize("item_defined", [False, True])
def test_lengths_in_the_source_do_not_matter(backend, sequence_defined, item_defined):
    items = item(std.PATIENT_ID, item_defined) * 2
    data = std.MODALITY + sequence(items, defined=sequence_defined) + std.TEXT_VALUE
    hashed = std.REFERENCED_IMAGES + (std.ITEM + std.PATIENT_ID) * 2 + std.END
    assert backend.stream(data) == std.MODALITY + hashed + std.TEXT_VALUE


@pytest.mark.parametrize("defined", [False, True])
def test_empty_sequence(backend, defined):
    assert backend.stream(sequence(b"", defined=defined)) == std.REFERENCED_IMAGES + std.END


@pytest.mark.parametrize("empty", [std.ITEM_EMPTY, std.ITEM_UNDEFINED + std.ITEM_END])
@pytest.mark.parametrize("defined", [False, True])
def test_empty_item(backend, defined, empty):
    hashed = std.REFERENCED_IMAGES + std.ITEM + std.END
    assert backend.stream(sequence(empty, defined=defined)) == hashed


@pytest.mark.parametrize("outer", [False, True])
@pytest.mark.parametrize("inner", [False, True])
def test_nested_sequences(backend, outer, inner):
    nested = sequence(item(std.PATIENT_ID, inner), defined=inner)
    data = sequence(item(nested + std.PATIENT_ID, outer), std.REFERENCED_SERIES, outer)
    hashed = std.REFERENCED_SERIES + std.ITEM + SQ_HASHED + std.PATIENT_ID + std.END
    assert backend.stream(data) == hashed


def test_reserved_bytes_of_a_sequence_become_zero(backend):
    head = std.REFERENCED_IMAGES[:6] + b"\1\1"
    assert backend.stream(sequence(item(std.PATIENT_ID), head)) == SQ_HASHED


# --- encapsulated values ------------------------------------------------------------------------


@pytest.mark.parametrize("head", [std.PIXEL_DATA_OB, std.PIXEL_DATA_OW])
def test_encapsulated_with_empty_offset_table(backend, head):
    """PS3.5 Annex A.4: its VR is OB, whatever a file says."""
    data = head + std.UNDEFINED + std.ITEM_EMPTY + std.FRAGMENT * 2 + std.SEQUENCE_END
    hashed = std.PIXEL_DATA_OB + std.ITEM + std.FRAGMENT_HASHED * 2 + std.END
    assert backend.stream(data) == hashed


def test_encapsulated_with_offset_table(backend):
    data = std.UNDEFINED + std.OFFSET_TABLE + std.FRAGMENT + std.SEQUENCE_END
    hashed = std.OFFSET_TABLE_HASHED + std.FRAGMENT_HASHED + std.END
    assert backend.stream(std.PIXEL_DATA_OB + data) == std.PIXEL_DATA_OB + hashed


def test_encapsulated_in_an_item(backend):
    pixels = std.PIXEL_DATA_OB + std.UNDEFINED + std.ITEM_EMPTY + std.FRAGMENT + std.SEQUENCE_END
    hashed = std.PIXEL_DATA_OB + std.ITEM + std.FRAGMENT_HASHED + std.END
    data = sequence(item(std.PATIENT_ID + pixels)) + std.PATIENT_ID
    inside = std.REFERENCED_IMAGES + std.ITEM + std.PATIENT_ID + hashed + std.END
    assert backend.stream(data) == inside + std.PATIENT_ID


def test_odd_fragment_is_padded_with_nul(backend):
    odd = std.ITEM + b"\3\0\0\0abc"
    data = std.PIXEL_DATA_OB + std.UNDEFINED + std.ITEM_EMPTY + odd + std.SEQUENCE_END
    hashed = std.PIXEL_DATA_OB + std.ITEM + std.ITEM + b"abc\0" + std.END
    assert backend.stream(data) == hashed


def test_legacy_form_has_the_lengths_of_fragments(backend):
    """dcmsign before 3.5.4 (DCMTK) hashed them."""
    odd = std.ITEM + b"\3\0\0\0abc"
    data = std.UNDEFINED + std.OFFSET_TABLE + std.FRAGMENT + odd + std.SEQUENCE_END
    hashed = std.OFFSET_TABLE + std.FRAGMENT + std.ITEM + b"\4\0\0\0abc\0" + std.END
    assert backend.stream(std.PIXEL_DATA_OB + data, legacy=True) == std.PIXEL_DATA_OB + hashed


def test_legacy_form_differs_for_fragments_only(backend):
    data = std.MODALITY + sequence(item(std.PATIENT_ID, True), defined=True)
    assert backend.stream(data, legacy=True) == std.MODALITY + SQ_HASHED


# --- what is never hashed -------------------------------------------------------------------------


@pytest.mark.parametrize("name", std.NEVER_HASHED)
def test_never_hashed(backend, name):
    never = std.NEVER_HASHED[name]
    assert backend.stream(never + std.PATIENT_NAME) == std.PATIENT_NAME
    assert backend.stream(std.PATIENT_NAME + never + std.PATIENT_ID) == (
        std.PATIENT_NAME + std.PATIENT_ID
    )


@pytest.mark.parametrize("name", sorted(std.NEVER_HASHED.keys() - {"UN", "a VR from the future"}))
def test_never_hashed_in_items_either(backend, name):
    content = std.PATIENT_NAME + std.NEVER_HASHED[name] + std.PATIENT_ID
    inside = std.REFERENCED_IMAGES + std.ITEM + std.PATIENT_NAME + std.PATIENT_ID + std.END
    assert backend.stream(sequence(item(content))) == inside
    outer = sequence(item(sequence(item(content))), std.REFERENCED_SERIES)
    assert backend.stream(outer) == std.REFERENCED_SERIES + std.ITEM + inside + std.END


@pytest.mark.parametrize("unknown", [std.PRIVATE_UNKNOWN, std.FROM_THE_FUTURE])
@pytest.mark.parametrize("defined", [False, True])
def test_sequence_that_holds_un_anywhere_is_left_out(backend, unknown, defined):
    deep = sequence(item(std.PATIENT_ID + unknown, defined), defined=defined)
    outer = sequence(item(deep, defined), std.REFERENCED_SERIES, defined)
    data, coverage = backend.covered(std.MODALITY + outer + std.PATIENT_ID)
    assert data == std.MODALITY + std.PATIENT_ID
    assert coverage == (2, 1, ())


def test_un_of_undefined_length_holds_implicit_vr_and_is_left_out(backend):
    """PS3.5 Section 6.2.2."""
    content = item(H(std.IMPLICIT["public"][0]))
    unknown = sequence(content, std.UNKNOWN_SEQUENCE)
    data, coverage = backend.covered(std.MODALITY + unknown + std.PATIENT_ID, tags=[0x00091010])
    assert (data, coverage) == (b"", (0, 3, (0x00091010,)))
    assert backend.stream(std.MODALITY + unknown + std.PATIENT_ID) == (
        std.MODALITY + std.PATIENT_ID
    )


def test_listed_un_is_reported(backend):
    data, coverage = backend.covered(
        std.PRIVATE_UNKNOWN + std.PATIENT_ID, tags=[0x00091001, 0x00100020, 0x00100010]
    )
    assert data == std.PATIENT_ID
    assert coverage == (1, 1, (0x00091001,))


def test_listed_sequence_with_un_inside_is_reported(backend):
    data, coverage = backend.covered(sequence(item(std.PRIVATE_UNKNOWN)), tags=[0x00081140])
    assert (data, coverage) == (b"", (0, 1, (0x00081140,)))


# --- which elements, in which order ------------------------------------------------------------


def test_order_is_that_of_the_data_set(backend):
    data = std.MODALITY + std.PATIENT_NAME + std.PATIENT_ID
    for tags in ([0x00100020, 0x00080060], [0x00080060, 0x00100020], {0x00100020, 0x00080060}):
        assert backend.stream(data, tags=tags) == std.MODALITY + std.PATIENT_ID
    wrong_order = std.PATIENT_ID + std.MODALITY
    assert backend.stream(wrong_order, tags=[0x00080060, 0x00100020]) == wrong_order


def test_absent_tag_contributes_nothing(backend):
    assert backend.stream(std.PATIENT_ID, tags=[0x00080060, 0x00100020]) == std.PATIENT_ID
    assert backend.covered(std.PATIENT_ID, tags=[]) == (b"", (0, 1, ()))
    assert backend.stream(b"") == b""


def test_neighbours_of_a_listed_element_stay_out(backend):
    elements = [std.MODALITY, std.PATIENT_NAME, std.PATIENT_ID, std.PATIENT_SEX_EMPTY]
    tags = [0x00080060, 0x00100010, 0x00100020, 0x00100040]
    for chosen in range(16):
        wanted = [tag for n, tag in enumerate(tags) if chosen >> n & 1]
        hashed = b"".join(e for n, e in enumerate(elements) if chosen >> n & 1)
        data, coverage = backend.covered(b"".join(elements), tags=wanted)
        assert data == hashed
        assert coverage == (len(wanted), 4 - len(wanted), ())


def test_without_leaves_out_and_does_not_count(backend):
    data = std.MODALITY + std.PATIENT_NAME + std.PATIENT_ID
    hashed, coverage = backend.covered(data, without={0x00100010})
    assert (hashed, coverage) == (std.MODALITY + std.PATIENT_ID, (2, 0, ()))
    hashed, coverage = backend.covered(data, tags=[0x00100010, 0x00100020], without=[0x00100010])
    assert (hashed, coverage) == (std.PATIENT_ID, (1, 1, ()))


def test_without_concerns_the_scope_alone(backend):
    data = sequence(item(std.PATIENT_ID))
    assert backend.stream(data, without=[0x00100020]) == SQ_HASHED


def test_nested_scope(backend):
    data = std.MODALITY + sequence(item(std.PATIENT_NAME) + item(std.PATIENT_ID + std.TEXT_VALUE))
    index = backend.Index(data)
    first, second = index.children(index.find(0, 0x00081140))
    assert backend.stream(data, first) == std.PATIENT_NAME
    assert backend.stream(data, second) == std.PATIENT_ID + std.TEXT_VALUE
    assert backend.covered(data, second, [0x00100020]) == (std.PATIENT_ID, (1, 1, ()))


def test_nested_scope_inside_un_is_implicit_vr(backend):
    stored, hashed = map(H, std.IMPLICIT["public"])
    data = std.MODALITY + sequence(item(stored), std.UNKNOWN_SEQUENCE)
    assert backend.stream(data, 3) == hashed


def test_update_sees_the_same_bytes_however_they_are_cut(backend):
    pieces = []
    data = std.MODALITY + sequence(item(std.PATIENT_ID) * 5000)
    backend.Index(data).stream(lambda piece: pieces.append(bytes(piece)))
    hashed = std.REFERENCED_IMAGES + (std.ITEM + std.PATIENT_ID) * 5000 + std.END
    assert b"".join(pieces) == std.MODALITY + hashed


def test_errors_of_the_hasher_come_through(backend):
    def refuse(piece):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        backend.Index(std.PATIENT_ID).stream(refuse)


# --- the encoder alone ------------------------------------------------------------------------


def test_encoder_writes_what_it_is_told(backend):
    out = bytearray()
    encoder = backend.Encoder(out.extend)
    encoder.element(0x00080060, "CS", b"CT")
    encoder.open(0x00081140, "SQ")
    encoder.item()
    encoder.header(0x00100020, "LO", 4)
    encoder.data(b"12")
    encoder.data(bytearray(b"34"))
    encoder.close()
    encoder.open(0x7FE00010, "OB")
    encoder.fragment(b"")
    encoder.fragment(b"\xff\xd8\xff\xd9")
    encoder.fragment(b"abc")
    encoder.close()
    encoder.flush()
    pixels = std.PIXEL_DATA_OB + std.ITEM + std.FRAGMENT_HASHED + std.ITEM + b"abc\0" + std.END
    assert bytes(out) == std.MODALITY + SQ_HASHED + pixels


@pytest.mark.parametrize("vr", std.BIG_ENDIAN)
def test_encoder_swaps_and_pads(backend, vr):
    stored, hashed = std.BIG_ENDIAN[vr]
    out = bytearray()
    encoder = backend.Encoder(out.extend)
    encoder.element(0x00281234, vr, H(stored.split("  ")[-1]), True)
    encoder.flush()
    assert bytes(out) == H(hashed or "2800 3412  554E 0000  04000000  01020304")


def test_encoder_refuses_what_a_short_vr_cannot_hold(backend):
    encoder = backend.Encoder(bytearray().extend)
    encoder.header(0x00100020, "LO", 0xFFFF)
    with pytest.raises(EncodingError, match=r"\(0010,0020\) has 65536 bytes, .* VR LO"):
        encoder.header(0x00100020, "LO", 0x10000)
