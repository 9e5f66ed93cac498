"""The outside world: connectors, and the one module that sends."""
