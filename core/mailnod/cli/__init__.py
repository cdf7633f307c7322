"""The ``mailnod`` command."""
