"""The rules of a Learning Record Store, pure: what a statement is found by, how it is shown, when two are the same."""
