"""Methods that propose labels, one folder per task."""
