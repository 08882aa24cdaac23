"""What crosses a wire, as data, compiled once."""
