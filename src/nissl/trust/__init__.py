"""Generic statistics on arrays and tables; knows no task."""
