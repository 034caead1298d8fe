"""Search spaces, one YAML file each."""
