"""Generated packages: what an IDL's classes, handlers and clients are to a type checker, and where they lie."""
