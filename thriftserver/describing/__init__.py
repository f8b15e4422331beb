"""Definitions of an IDL for who reads them: as IDL text again, and as JSON data."""
