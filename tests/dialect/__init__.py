"""How dialects are told apart, and what each packs messages in."""
