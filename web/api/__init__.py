"""The interface for machines: /v1, health, the OpenAPI document and the problem pages."""
