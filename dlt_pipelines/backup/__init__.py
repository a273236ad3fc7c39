"""Backup and restore of what cannot be loaded again: docs/backup.md says what that is and why."""
