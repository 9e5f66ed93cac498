"""One file or package per partner system."""
