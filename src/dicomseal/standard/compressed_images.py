"""How compressed images begin that are the frames of encapsulated Pixel Data (PS3.5 Annex A.4)."""

from __future__ import annotations

import re

# JPEG and JPEG-LS, JPEG 2000 (codestream, file), JPEG XL (codestream, file), RLE (PS3.5 G.5: up to
# 15 segments; the first one follows the header)
BEGINNINGS = (
    rb"\xff\xd8\xff|\xff\x4f\xff\x51|\0\0\0\x0cjP  |\xff\x0a|\0\0\0\x0cJXL |"
    rb"[\x01-\x0f]\0\0\0\x40\0\0\0"
)
BEGINNING = re.compile(BEGINNINGS, re.DOTALL)
MAX_BEGINNING = 8  # bytes of one
