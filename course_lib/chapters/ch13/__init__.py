"""Chapter 13: adaptation by trial."""
