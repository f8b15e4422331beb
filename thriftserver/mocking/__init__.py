"""Handlers made of an IDL: valid answers by chance or by example, late or failing where a rule says so."""
