-- The journal of nissl, version 1. Runs on SQLite and on PostgreSQL.
--
-- Conventions: every table of data has project_id; a position counts up by one within a project
-- and table, in the order in which writers were served; times are Unix seconds; columns named
-- here "JSON" are TEXT. Lines "-- [sqlite]", "-- [postgresql]" and "-- [all]" say for which
-- database the statements below them are.

-- [all]
CREATE TABLE schema_versions (
    number BIGINT PRIMARY KEY,
    name TEXT NOT NULL,
    applied_s DOUBLE PRECISION NOT NULL
);

CREATE TABLE projects (
    project_id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    created_s DOUBLE PRECISION NOT NULL
);

-- What was recorded. `path` is relative to the project folder where it can be.
CREATE TABLE sources (
    project_id TEXT NOT NULL REFERENCES projects (project_id),
    position BIGINT NOT NULL,
    fingerprint TEXT NOT NULL,
    name TEXT NOT NULL,
    path TEXT NOT NULL,
    format TEXT NOT NULL,
    options TEXT NOT NULL,              -- JSON
    subject TEXT NOT NULL,              -- JSON
    session TEXT NOT NULL,              -- JSON
    streams TEXT NOT NULL,              -- JSON
    added_s DOUBLE PRECISION NOT NULL,
    hashed_mtime_ns BIGINT NOT NULL,
    hashed_size BIGINT NOT NULL,
    full_hash TEXT NOT NULL,            -- SHA-256 of the whole file; empty where never taken
    PRIMARY KEY (project_id, fingerprint),
    UNIQUE (project_id, position),
    UNIQUE (project_id, name)
);

-- What a source row said before and after each change (moved files, subjects set later).
CREATE TABLE source_changes (
    project_id TEXT NOT NULL REFERENCES projects (project_id),
    position BIGINT NOT NULL,
    fingerprint TEXT NOT NULL,
    before TEXT NOT NULL,               -- JSON, the changed fields only
    after TEXT NOT NULL,                -- JSON, the same fields
    changed_s DOUBLE PRECISION NOT NULL,
    PRIMARY KEY (project_id, position)
);

CREATE TABLE runs (
    project_id TEXT NOT NULL REFERENCES projects (project_id),
    position BIGINT NOT NULL,
    job_hash TEXT NOT NULL,
    job TEXT NOT NULL,                  -- JSON, all that the hash covers
    state TEXT NOT NULL CHECK (state IN ('running', 'finished', 'failed')),
    attempts BIGINT NOT NULL,
    outputs TEXT NOT NULL,              -- JSON, digests
    log TEXT NOT NULL,                  -- JSON
    error TEXT NOT NULL,
    started_s DOUBLE PRECISION NOT NULL,
    ended_s DOUBLE PRECISION,
    PRIMARY KEY (project_id, job_hash),
    UNIQUE (project_id, position)
);

-- Facts of a finished label set, repeated from its file, which is the truth.
CREATE TABLE label_sets (
    project_id TEXT NOT NULL REFERENCES projects (project_id),
    position BIGINT NOT NULL,
    digest TEXT NOT NULL,
    kind TEXT NOT NULL,
    task TEXT NOT NULL,
    source TEXT NOT NULL,
    stream TEXT NOT NULL,
    author TEXT NOT NULL,               -- JSON: kind, name, version, weights
    targets TEXT NOT NULL,              -- JSON: digests of the sets whose items it speaks of
    n_rows BIGINT NOT NULL,
    n_items BIGINT NOT NULL,
    created_s DOUBLE PRECISION NOT NULL,
    PRIMARY KEY (project_id, digest),
    UNIQUE (project_id, position)
);

-- Item tables of a label set; the last one counts, earlier ones stay known.
CREATE TABLE items (
    project_id TEXT NOT NULL REFERENCES projects (project_id),
    position BIGINT NOT NULL,
    labels TEXT NOT NULL,
    digest TEXT NOT NULL,
    recorded_s DOUBLE PRECISION NOT NULL,
    PRIMARY KEY (project_id, position)
);

-- Which runs gave a label set; the last one is shown.
CREATE TABLE label_runs (
    project_id TEXT NOT NULL REFERENCES projects (project_id),
    position BIGINT NOT NULL,
    labels TEXT NOT NULL,
    job_hash TEXT NOT NULL,
    recorded_s DOUBLE PRECISION NOT NULL,
    PRIMARY KEY (project_id, position)
);

-- Every move of every head; the last one of a source and task is the head.
CREATE TABLE heads (
    project_id TEXT NOT NULL REFERENCES projects (project_id),
    position BIGINT NOT NULL,
    source TEXT NOT NULL,
    task TEXT NOT NULL,
    digest TEXT NOT NULL,
    moved_by TEXT NOT NULL,
    moved_s DOUBLE PRECISION NOT NULL,
    PRIMARY KEY (project_id, position)
);

-- One row per time a label set was checked, findings or none; the last check counts.
CREATE TABLE checks (
    project_id TEXT NOT NULL REFERENCES projects (project_id),
    position BIGINT NOT NULL,
    labels TEXT NOT NULL,
    checked_s DOUBLE PRECISION NOT NULL,
    PRIMARY KEY (project_id, position)
);

CREATE TABLE findings (
    project_id TEXT NOT NULL REFERENCES projects (project_id),
    check_position BIGINT NOT NULL,
    ordinal BIGINT NOT NULL,
    severity TEXT NOT NULL,
    item BIGINT,
    body TEXT NOT NULL,                 -- JSON
    PRIMARY KEY (project_id, check_position, ordinal)
);

-- People's decisions. Appended, never changed: the triggers below refuse anything else.
CREATE TABLE edits (
    project_id TEXT NOT NULL REFERENCES projects (project_id),
    position BIGINT NOT NULL,
    uuid TEXT NOT NULL,
    group_uuid TEXT,
    reviewer TEXT NOT NULL,
    role TEXT NOT NULL,
    parent TEXT,
    base TEXT NOT NULL,
    kind TEXT NOT NULL,
    items TEXT NOT NULL,                -- JSON
    payload TEXT NOT NULL,              -- JSON
    when_s DOUBLE PRECISION NOT NULL,
    took_s DOUBLE PRECISION,
    received_s DOUBLE PRECISION NOT NULL,
    digest TEXT NOT NULL,               -- SHA-256 of the edit; tells a changed row
    PRIMARY KEY (project_id, position),
    UNIQUE (project_id, uuid)
);
CREATE INDEX edits_by_base ON edits (project_id, base, position);

-- What people are asked, by whom it was chosen and which edit answered it.
CREATE TABLE questions (
    project_id TEXT NOT NULL REFERENCES projects (project_id),
    position BIGINT NOT NULL,
    uuid TEXT NOT NULL,
    labels TEXT NOT NULL,
    item BIGINT,
    policy TEXT NOT NULL,
    score DOUBLE PRECISION,
    body TEXT NOT NULL,                 -- JSON
    asked_s DOUBLE PRECISION NOT NULL,
    answered_by TEXT,
    PRIMARY KEY (project_id, uuid),
    UNIQUE (project_id, position)
);

-- Fitted models; weights and card stand in models/<digest>/.
CREATE TABLE models (
    project_id TEXT NOT NULL REFERENCES projects (project_id),
    position BIGINT NOT NULL,
    digest TEXT NOT NULL,
    task TEXT NOT NULL,
    name TEXT NOT NULL,
    version TEXT NOT NULL,
    card TEXT NOT NULL,                 -- JSON
    made_s DOUBLE PRECISION NOT NULL,
    PRIMARY KEY (project_id, digest),
    UNIQUE (project_id, position)
);

-- [sqlite]
CREATE TRIGGER edits_no_update BEFORE UPDATE ON edits
BEGIN SELECT RAISE(ABORT, 'edits are only ever appended'); END;
CREATE TRIGGER edits_no_delete BEFORE DELETE ON edits
BEGIN SELECT RAISE(ABORT, 'edits are only ever appended'); END;
CREATE TRIGGER heads_no_update BEFORE UPDATE ON heads
BEGIN SELECT RAISE(ABORT, 'heads are only ever appended'); END;
CREATE TRIGGER heads_no_delete BEFORE DELETE ON heads
BEGIN SELECT RAISE(ABORT, 'heads are only ever appended'); END;

-- [postgresql]
CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% are only ever appended', TG_TABLE_NAME;
END;
$$;
CREATE TRIGGER edits_append_only BEFORE UPDATE OR DELETE ON edits
FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER edits_no_truncate BEFORE TRUNCATE ON edits
FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER heads_append_only BEFORE UPDATE OR DELETE ON heads
FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER heads_no_truncate BEFORE TRUNCATE ON heads
FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
