"""One file a platform, one registry, one shared transport: the only outbound money calls."""
