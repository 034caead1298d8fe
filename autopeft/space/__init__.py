"""Search spaces: as written, as expanded for one backbone, and their points."""
