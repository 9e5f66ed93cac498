"""The read side: one fold per file, from facts to tables."""
