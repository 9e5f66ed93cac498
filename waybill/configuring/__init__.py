"""Processing configurations that tenants change while orders flow, version by version."""
