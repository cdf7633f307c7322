"""What the inspector knows and does, without Qt: mails, rewriting, findings, simulation, events."""
