"""Releases that judge themselves, with real servers under traffic: bad ones are rolled back, harmless ones go on."""
