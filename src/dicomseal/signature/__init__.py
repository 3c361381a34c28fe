"""The parts of a signature: its items, its MAC, its value and its certificate."""
