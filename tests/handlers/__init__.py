"""The sample services by themselves: their own rules, and what several workers do to one database."""
