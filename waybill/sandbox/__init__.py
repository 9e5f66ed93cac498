"""Partners to practise on: strict, stateful stand-ins that journal every request."""
