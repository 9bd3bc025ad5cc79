"""The journal's schema as numbered SQL files; `nissl.store.migrate` runs them."""
