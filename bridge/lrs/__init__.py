"""The xAPI resources over HTTP: a Learning Record Store for 1.0.3 and 2.0 (IEEE 9274.1.1)."""
