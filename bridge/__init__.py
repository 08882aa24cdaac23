"""cpd-bridge: xAPI completed statements become draft CPD log entries, and the portal's API serves them."""
