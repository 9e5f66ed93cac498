"""The words: every record that crosses a topic or a socket."""
