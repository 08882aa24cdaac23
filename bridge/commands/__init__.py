"""Commands of the console script that are more than a call; ``bridge.cli`` puts them together."""
