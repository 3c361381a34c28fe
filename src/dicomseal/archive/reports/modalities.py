"""The modality of objects that do not state it: from their SOP Class, if that leaves no choice.

Modality (0008,0060) decides. The table has the storage classes of PS3.4 Annex B whose Modality the
IOD fixes (PS3.3, e.g. Section C.8.2.1 for CT) or that only one modality makes.
"""

from __future__ import annotations

NOT_KNOWN = "(not known)"
_STORAGE = "1.2.840.10008.5.1.4.1.1."
_CLASSES = {
    "CR": ("1",),
    "CT": ("2", "2.1"),
    "DX": ("1.1", "1.1.1"),
    "ECG": ("9.1.1", "9.1.2"),
    "IO": ("1.3", "1.3.1"),
    "KO": ("88.59",),
    "MG": ("1.2", "1.2.1", "13.1.3"),
    "MR": ("4", "4.1", "4.2"),
    "NM": ("20",),
    "OP": ("77.1.5.1", "77.1.5.2"),
    "OPT": ("77.1.5.4",),
    "PR": ("11.1", "11.2", "11.3", "11.4"),
    "PT": ("128", "130"),
    "RF": ("12.2",),
    "RTDOSE": ("481.2",),
    "RTIMAGE": ("481.1",),
    "RTPLAN": ("481.5", "481.8"),
    "RTRECORD": ("481.4", "481.6", "481.7", "481.9"),
    "RTSTRUCT": ("481.3",),
    "SEG": ("66.4",),
    "SM": ("77.1.6",),
    "SR": ("88.11", "88.22", "88.33", "88.34", "88.67"),
    "US": ("3.1", "6.1", "6.2"),
    "XA": ("12.1", "12.1.1"),
}
_BY_CLASS = {_STORAGE + one: name for name, classes in _CLASSES.items() for one in classes}


def label(modality: str, sop_class_uid: str) -> str:
    """Return the modality by which an object is counted, and its source unless it is Modality."""
    if modality:
        return modality
    found = _BY_CLASS.get(sop_class_uid)
    return f"{found} (by SOP Class)" if found else NOT_KNOWN
