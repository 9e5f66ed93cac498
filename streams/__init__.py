"""The write side: facts in, decisions out."""
