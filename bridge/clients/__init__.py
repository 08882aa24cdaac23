"""Outbound calls: clamd, another LRS, and the mail server."""
