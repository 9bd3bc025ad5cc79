"""How sure a spike and a unit are."""
