-- What review needs beside the edits: which model is in use, and what readers set for themselves.

-- [all]
-- Every move of a task's model; the last one is in use, moving it back is the rollback.
CREATE TABLE model_heads (
    project_id TEXT NOT NULL REFERENCES projects (project_id),
    position BIGINT NOT NULL,
    task TEXT NOT NULL,
    digest TEXT NOT NULL,
    moved_by TEXT NOT NULL,
    moved_s DOUBLE PRECISION NOT NULL,
    PRIMARY KEY (project_id, position)
);

-- Settings by name ("reader:Ada", "review"); the last one of a name counts, earlier ones stay.
CREATE TABLE settings (
    project_id TEXT NOT NULL REFERENCES projects (project_id),
    position BIGINT NOT NULL,
    name TEXT NOT NULL,
    body TEXT NOT NULL,                 -- JSON
    set_s DOUBLE PRECISION NOT NULL,
    PRIMARY KEY (project_id, position)
);
CREATE INDEX settings_by_name ON settings (project_id, name, position);
CREATE INDEX questions_by_labels ON questions (project_id, labels, position);

-- [sqlite]
CREATE TRIGGER model_heads_no_update BEFORE UPDATE ON model_heads
BEGIN SELECT RAISE(ABORT, 'model heads are only ever appended'); END;
CREATE TRIGGER model_heads_no_delete BEFORE DELETE ON model_heads
BEGIN SELECT RAISE(ABORT, 'model heads are only ever appended'); END;

-- [postgresql]
CREATE TRIGGER model_heads_append_only BEFORE UPDATE OR DELETE ON model_heads
FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER model_heads_no_truncate BEFORE TRUNCATE ON model_heads
FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
