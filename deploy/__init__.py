"""How the service is run: development services, containers, dashboards."""
