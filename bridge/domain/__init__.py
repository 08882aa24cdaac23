"""The rules, pure: no I/O, no framework, no clock of their own."""
