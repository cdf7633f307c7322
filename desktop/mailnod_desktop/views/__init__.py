"""The window and its parts; they are handed the services and models that they show."""
