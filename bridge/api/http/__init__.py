"""HTTP: routing, authentication, pagination, problems and the OpenAPI document."""
