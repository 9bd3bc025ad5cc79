"""Why a spike was put into a unit."""
