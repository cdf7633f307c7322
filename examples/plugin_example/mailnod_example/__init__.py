"""Plugins for Mailnod, as a package of their own: campaign parameters, a deny-list, and a source of consent."""
