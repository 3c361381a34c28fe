"""Signatures that are made."""
