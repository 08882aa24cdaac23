"""What a Learning Record Store keeps: statements found by their facts, documents, attachments."""
