"""Valid values of an IDL's types, made up by chance that a seed decides."""
