"""The Register Audit: cases, submissions, selection and the Register team."""
