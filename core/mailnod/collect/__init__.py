"""The collecting stage: answer pixels and links, and put every hit on disk first."""
