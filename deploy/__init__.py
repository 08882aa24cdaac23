"""Deployment: development services, containers, dashboards."""
