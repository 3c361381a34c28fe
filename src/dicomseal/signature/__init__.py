"""The items of a signature, its MAC, its value and its certificate."""
