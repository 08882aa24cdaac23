"""Members: the membership system, its feed, notices and reminders."""
