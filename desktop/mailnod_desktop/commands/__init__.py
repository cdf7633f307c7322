"""What the inspector adds to the ``mailnod`` command; no Qt before a picture is asked for."""
