"""``python -m dicomseal`` is the command ``dicomseal``."""

from .cli import main

main()
