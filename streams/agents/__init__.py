"""The write side's workers: they read, call the core and write."""
