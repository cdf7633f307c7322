"""Plugins for Mailnod, as a package of their own: campaign parameters, consents, and what an app knows of networks."""
