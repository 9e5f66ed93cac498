"""Zuora on the sandbox: a tenant with state, which takes what Zuora takes and no more."""
