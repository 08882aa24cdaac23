"""MongoDB: one collection family a file, the only importer of the driver."""
