"""Calls of a running server, overheard: which ones, what is kept of them, how they are shown, and made again."""
