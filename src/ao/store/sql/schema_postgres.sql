-- Made by `python -m ao.store.sql.ddl`; do not edit.

CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL,
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);

CREATE TABLE agent (
	name TEXT COLLATE "C" NOT NULL,
	created_us BIGINT NOT NULL,
	latest BIGINT NOT NULL,
	CONSTRAINT agent_pkey PRIMARY KEY (name)
);

CREATE TABLE api_key (
	key_id TEXT COLLATE "C" NOT NULL,
	name TEXT COLLATE "C" NOT NULL,
	role TEXT COLLATE "C" NOT NULL,
	key_hash TEXT COLLATE "C" NOT NULL,
	created_us BIGINT NOT NULL,
	revoked_us BIGINT,
	agents TEXT COLLATE "C",
	expires_us BIGINT,
	last_used_us BIGINT,
	actor TEXT COLLATE "C",
	CONSTRAINT api_key_pkey PRIMARY KEY (key_id)
);

CREATE UNIQUE INDEX api_key_hash ON api_key (key_hash);

CREATE TABLE assistant (
	name TEXT COLLATE "C" NOT NULL,
	agent TEXT COLLATE "C" NOT NULL,
	created_us BIGINT NOT NULL,
	newest BIGINT NOT NULL,
	latest BIGINT,
	archived_us BIGINT,
	CONSTRAINT assistant_pkey PRIMARY KEY (name)
);

CREATE TABLE assistant_move (
	name TEXT COLLATE "C" NOT NULL,
	seq BIGINT NOT NULL,
	action TEXT COLLATE "C" NOT NULL,
	from_version BIGINT,
	to_version BIGINT NOT NULL,
	actor TEXT COLLATE "C" NOT NULL,
	message TEXT COLLATE "C" NOT NULL,
	at_us BIGINT NOT NULL,
	CONSTRAINT assistant_move_pkey PRIMARY KEY (name, seq)
);

CREATE TABLE assistant_release (
	name TEXT COLLATE "C" NOT NULL,
	version BIGINT NOT NULL,
	deployment_id TEXT COLLATE "C" NOT NULL,
	digest TEXT COLLATE "C" NOT NULL,
	CONSTRAINT assistant_release_pkey PRIMARY KEY (name, version, deployment_id)
);

CREATE TABLE assistant_version (
	name TEXT COLLATE "C" NOT NULL,
	version BIGINT NOT NULL,
	config TEXT COLLATE "C" NOT NULL,
	overrides TEXT COLLATE "C" NOT NULL,
	environment TEXT COLLATE "C" NOT NULL,
	deployment_id TEXT COLLATE "C",
	actor TEXT COLLATE "C" NOT NULL,
	message TEXT COLLATE "C" NOT NULL,
	created_us BIGINT NOT NULL,
	CONSTRAINT assistant_version_pkey PRIMARY KEY (name, version)
);

CREATE TABLE audit (
	audit_id TEXT COLLATE "C" NOT NULL,
	at_us BIGINT NOT NULL,
	actor TEXT COLLATE "C" NOT NULL,
	action TEXT COLLATE "C" NOT NULL,
	target TEXT COLLATE "C" NOT NULL,
	agent TEXT COLLATE "C" NOT NULL,
	details TEXT COLLATE "C" NOT NULL,
	source TEXT COLLATE "C" NOT NULL,
	request_id TEXT COLLATE "C" NOT NULL,
	key_id TEXT COLLATE "C" NOT NULL,
	CONSTRAINT audit_pkey PRIMARY KEY (audit_id)
);

CREATE INDEX audit_agent ON audit (agent, audit_id);

CREATE INDEX audit_target ON audit (target, audit_id);

CREATE TABLE dead_letter (
	run_id TEXT COLLATE "C" NOT NULL,
	agent TEXT COLLATE "C" NOT NULL,
	fingerprint TEXT COLLATE "C" NOT NULL,
	title TEXT COLLATE "C" NOT NULL,
	step TEXT COLLATE "C" NOT NULL,
	reason TEXT COLLATE "C" NOT NULL,
	at_us BIGINT NOT NULL,
	replayed_by TEXT COLLATE "C",
	version BIGINT,
	CONSTRAINT dead_letter_pkey PRIMARY KEY (run_id)
);

CREATE INDEX dead_letter_fingerprint ON dead_letter (fingerprint, run_id);

CREATE INDEX dead_letter_open ON dead_letter (agent, fingerprint, at_us, version, run_id, replayed_by) WHERE replayed_by IS NULL;

CREATE TABLE deployment (
	deployment_id TEXT COLLATE "C" NOT NULL,
	agent TEXT COLLATE "C" NOT NULL,
	version BIGINT NOT NULL,
	status TEXT COLLATE "C" NOT NULL,
	actor TEXT COLLATE "C" NOT NULL,
	message TEXT COLLATE "C" NOT NULL,
	source_digest TEXT COLLATE "C" NOT NULL,
	created_us BIGINT NOT NULL,
	finished_us BIGINT,
	log_seq BIGINT NOT NULL,
	error TEXT COLLATE "C",
	digest TEXT COLLATE "C",
	config TEXT COLLATE "C",
	env_key TEXT COLLATE "C",
	lock_digest TEXT COLLATE "C",
	requirements_hash TEXT COLLATE "C",
	parts TEXT COLLATE "C",
	recipe TEXT COLLATE "C",
	build_lease_us BIGINT,
	CONSTRAINT deployment_pkey PRIMARY KEY (deployment_id)
);

CREATE UNIQUE INDEX deployment_version ON deployment (agent, version);

CREATE TABLE deployment_log (
	deployment_id TEXT COLLATE "C" NOT NULL,
	seq BIGINT NOT NULL,
	at_us BIGINT NOT NULL,
	text TEXT COLLATE "C" NOT NULL,
	CONSTRAINT deployment_log_pkey PRIMARY KEY (deployment_id, seq)
);

CREATE TABLE gate (
	name TEXT COLLATE "C" NOT NULL,
	CONSTRAINT gate_pkey PRIMARY KEY (name)
);

CREATE TABLE idempotency (
	agent TEXT COLLATE "C" NOT NULL,
	key TEXT COLLATE "C" NOT NULL,
	run_id TEXT COLLATE "C" NOT NULL,
	request_hash TEXT COLLATE "C" NOT NULL,
	CONSTRAINT idempotency_pkey PRIMARY KEY (agent, key)
);

CREATE TABLE login (
	token_hash TEXT COLLATE "C" NOT NULL,
	kind TEXT COLLATE "C" NOT NULL,
	key_id TEXT COLLATE "C" NOT NULL,
	until_us BIGINT NOT NULL,
	CONSTRAINT login_pkey PRIMARY KEY (token_hash)
);

CREATE TABLE meta (
	key TEXT COLLATE "C" NOT NULL,
	value TEXT COLLATE "C" NOT NULL,
	CONSTRAINT meta_pkey PRIMARY KEY (key)
);

CREATE TABLE pointer (
	agent TEXT COLLATE "C" NOT NULL,
	environment TEXT COLLATE "C" NOT NULL,
	pointer TEXT COLLATE "C" NOT NULL,
	deployment_id TEXT COLLATE "C" NOT NULL,
	version BIGINT NOT NULL,
	CONSTRAINT pointer_pkey PRIMARY KEY (agent, environment, pointer)
);

CREATE TABLE pointer_log (
	agent TEXT COLLATE "C" NOT NULL,
	seq BIGINT NOT NULL,
	environment TEXT COLLATE "C" NOT NULL,
	pointer TEXT COLLATE "C" NOT NULL,
	from_version BIGINT,
	to_version BIGINT NOT NULL,
	reason TEXT COLLATE "C" NOT NULL,
	actor TEXT COLLATE "C" NOT NULL,
	at_us BIGINT NOT NULL,
	CONSTRAINT pointer_log_pkey PRIMARY KEY (agent, seq)
);

CREATE TABLE process (
	process_id TEXT COLLATE "C" NOT NULL,
	role TEXT COLLATE "C" NOT NULL,
	host TEXT COLLATE "C" NOT NULL,
	version TEXT COLLATE "C" NOT NULL,
	schema_known TEXT COLLATE "C" NOT NULL,
	started_us BIGINT NOT NULL,
	beat_us BIGINT NOT NULL,
	CONSTRAINT process_pkey PRIMARY KEY (process_id)
);

CREATE TABLE run (
	run_id TEXT COLLATE "C" NOT NULL,
	agent TEXT COLLATE "C" NOT NULL,
	environment TEXT COLLATE "C" NOT NULL,
	input TEXT COLLATE "C",
	input_blob TEXT COLLATE "C",
	actor TEXT COLLATE "C" NOT NULL,
	created_us BIGINT NOT NULL,
	priority INTEGER NOT NULL,
	pinned_deployment_id TEXT COLLATE "C",
	schedule_id TEXT COLLATE "C",
	tick_us BIGINT,
	lineage TEXT COLLATE "C" NOT NULL,
	fork_of TEXT COLLATE "C",
	fork_step TEXT COLLATE "C",
	concurrency_key TEXT COLLATE "C",
	assistant TEXT COLLATE "C",
	assistant_version BIGINT,
	session TEXT COLLATE "C",
	CONSTRAINT run_pkey PRIMARY KEY (run_id)
);

CREATE INDEX run_agent ON run (agent, run_id);

CREATE INDEX run_assistant ON run (assistant, run_id) WHERE assistant IS NOT NULL;

CREATE INDEX run_session ON run (agent, session, run_id) WHERE session IS NOT NULL;

CREATE TABLE run_attempt (
	run_id TEXT COLLATE "C" NOT NULL,
	number BIGINT NOT NULL,
	fence BIGINT NOT NULL,
	worker_id TEXT COLLATE "C" NOT NULL,
	sandbox TEXT COLLATE "C" NOT NULL,
	started_us BIGINT NOT NULL,
	finished_us BIGINT,
	kind TEXT COLLATE "C",
	error TEXT COLLATE "C",
	exit_code INTEGER,
	max_rss_bytes BIGINT,
	cpu_seconds DOUBLE PRECISION,
	due_us BIGINT,
	CONSTRAINT run_attempt_pkey PRIMARY KEY (run_id, number)
);

CREATE TABLE run_blocked (
	run_id TEXT COLLATE "C" NOT NULL,
	rank BIGINT NOT NULL,
	CONSTRAINT run_blocked_pkey PRIMARY KEY (run_id)
);

CREATE TABLE run_delayed (
	due_us BIGINT NOT NULL,
	run_id TEXT COLLATE "C" NOT NULL,
	rank BIGINT NOT NULL,
	CONSTRAINT run_delayed_pkey PRIMARY KEY (due_us, run_id)
);

CREATE TABLE run_event (
	run_id TEXT COLLATE "C" NOT NULL,
	seq BIGINT NOT NULL,
	kind TEXT COLLATE "C" NOT NULL,
	at_us BIGINT NOT NULL,
	data TEXT COLLATE "C" NOT NULL,
	CONSTRAINT run_event_pkey PRIMARY KEY (run_id, seq)
);

CREATE TABLE run_gate (
	run_id TEXT COLLATE "C" NOT NULL,
	name TEXT COLLATE "C" NOT NULL,
	hold TEXT COLLATE "C" NOT NULL,
	capacity BIGINT NOT NULL,
	rank BIGINT NOT NULL,
	state TEXT COLLATE "C" NOT NULL,
	CONSTRAINT run_gate_pkey PRIMARY KEY (run_id, name)
);

CREATE INDEX run_gate_held ON run_gate (name, run_id) WHERE state = 'held';

CREATE INDEX run_gate_waiting ON run_gate (name, rank, run_id) WHERE state = 'waiting';

CREATE TABLE run_head (
	run_id TEXT COLLATE "C" NOT NULL,
	state TEXT COLLATE "C" NOT NULL,
	fence BIGINT NOT NULL,
	next_seq BIGINT NOT NULL,
	attempt INTEGER NOT NULL,
	failures INTEGER NOT NULL,
	losses INTEGER NOT NULL,
	cancel_requested INTEGER NOT NULL,
	active_us BIGINT NOT NULL,
	attempt_started_us BIGINT,
	started_us BIGINT,
	finished_us BIGINT,
	due_us BIGINT,
	worker_id TEXT COLLATE "C",
	deployment_id TEXT COLLATE "C",
	webhook INTEGER,
	gated INTEGER,
	session_base BIGINT,
	placement TEXT COLLATE "C",
	CONSTRAINT run_head_pkey PRIMARY KEY (run_id)
);

CREATE INDEX run_head_state ON run_head (state, run_id) WHERE state <> 'completed';

CREATE TABLE run_outcome (
	run_id TEXT COLLATE "C" NOT NULL,
	output TEXT COLLATE "C",
	output_blob TEXT COLLATE "C",
	error TEXT COLLATE "C",
	CONSTRAINT run_outcome_pkey PRIMARY KEY (run_id)
);

CREATE TABLE run_placed (
	placement TEXT COLLATE "C" NOT NULL,
	rank BIGINT NOT NULL,
	flow TEXT COLLATE "C" NOT NULL,
	run_id TEXT COLLATE "C" NOT NULL,
	agent TEXT COLLATE "C" NOT NULL,
	since_us BIGINT NOT NULL,
	CONSTRAINT run_placed_pkey PRIMARY KEY (placement, rank, flow, run_id)
);

CREATE INDEX run_placed_agent ON run_placed (agent, run_id);

CREATE TABLE run_question (
	question_id TEXT COLLATE "C" NOT NULL,
	run_id TEXT COLLATE "C" NOT NULL,
	path TEXT COLLATE "C" NOT NULL,
	kind TEXT COLLATE "C" NOT NULL,
	state TEXT COLLATE "C" NOT NULL,
	text TEXT COLLATE "C" NOT NULL,
	schema TEXT COLLATE "C",
	details TEXT COLLATE "C",
	fingerprint TEXT COLLATE "C" NOT NULL,
	asked_us BIGINT NOT NULL,
	deadline_us BIGINT,
	ended_us BIGINT,
	actor TEXT COLLATE "C",
	comment TEXT COLLATE "C",
	CONSTRAINT run_question_pkey PRIMARY KEY (question_id)
);

CREATE INDEX run_question_open ON run_question (question_id) WHERE state = 'open';

CREATE UNIQUE INDEX run_question_path ON run_question (run_id, path);

CREATE TABLE run_ready (
	rank BIGINT NOT NULL,
	flow TEXT COLLATE "C" DEFAULT '' NOT NULL,
	run_id TEXT COLLATE "C" NOT NULL,
	CONSTRAINT run_ready_pkey PRIMARY KEY (rank, flow, run_id)
);

CREATE TABLE run_step (
	run_id TEXT COLLATE "C" NOT NULL,
	path TEXT COLLATE "C" NOT NULL,
	parent TEXT COLLATE "C",
	name TEXT COLLATE "C" NOT NULL,
	step_key TEXT COLLATE "C",
	kind TEXT COLLATE "C" NOT NULL,
	state TEXT COLLATE "C" NOT NULL,
	attempt BIGINT NOT NULL,
	first_us BIGINT NOT NULL,
	started_us BIGINT NOT NULL,
	finished_us BIGINT,
	fingerprint TEXT COLLATE "C" NOT NULL,
	once INTEGER NOT NULL,
	value TEXT COLLATE "C",
	value_blob TEXT COLLATE "C",
	error TEXT COLLATE "C",
	CONSTRAINT run_step_pkey PRIMARY KEY (run_id, path)
);

CREATE TABLE run_tally (
	hour_us BIGINT NOT NULL,
	agent TEXT COLLATE "C" NOT NULL,
	version BIGINT NOT NULL,
	state TEXT COLLATE "C" NOT NULL,
	bucket BIGINT NOT NULL,
	shard BIGINT NOT NULL,
	runs BIGINT NOT NULL,
	CONSTRAINT run_tally_pkey PRIMARY KEY (hour_us, agent, version, state, bucket, shard)
);

CREATE TABLE run_timer (
	due_us BIGINT NOT NULL,
	run_id TEXT COLLATE "C" NOT NULL,
	CONSTRAINT run_timer_pkey PRIMARY KEY (due_us, run_id)
);

CREATE TABLE run_webhook (
	run_id TEXT COLLATE "C" NOT NULL,
	url TEXT COLLATE "C" NOT NULL,
	secret TEXT COLLATE "C" NOT NULL,
	CONSTRAINT run_webhook_pkey PRIMARY KEY (run_id)
);

CREATE TABLE schedule (
	schedule_id TEXT COLLATE "C" NOT NULL,
	agent TEXT COLLATE "C" NOT NULL,
	environment TEXT COLLATE "C" NOT NULL,
	cron TEXT COLLATE "C" NOT NULL,
	timezone TEXT COLLATE "C" NOT NULL,
	missed TEXT COLLATE "C" NOT NULL,
	next_us BIGINT NOT NULL,
	last_tick_us BIGINT,
	last_run_id TEXT COLLATE "C",
	paused INTEGER NOT NULL,
	name TEXT COLLATE "C" DEFAULT 'cron' NOT NULL,
	declared INTEGER DEFAULT 1 NOT NULL,
	overlap TEXT COLLATE "C" DEFAULT 'skip' NOT NULL,
	catch_up_us BIGINT,
	start_us BIGINT,
	end_us BIGINT,
	priority INTEGER DEFAULT 0 NOT NULL,
	input TEXT COLLATE "C",
	input_blob TEXT COLLATE "C",
	pause_reason TEXT COLLATE "C",
	pause_actor TEXT COLLATE "C",
	paused_us BIGINT,
	actor TEXT COLLATE "C" DEFAULT '' NOT NULL,
	created_us BIGINT DEFAULT 0 NOT NULL,
	forgotten_us BIGINT DEFAULT 0 NOT NULL,
	revision BIGINT DEFAULT 0 NOT NULL,
	withdrawn INTEGER DEFAULT 0 NOT NULL,
	CONSTRAINT schedule_pkey PRIMARY KEY (schedule_id)
);

CREATE UNIQUE INDEX schedule_name ON schedule (agent, name);

CREATE TABLE schedule_run (
	schedule_id TEXT COLLATE "C" NOT NULL,
	run_id TEXT COLLATE "C" NOT NULL,
	CONSTRAINT schedule_run_pkey PRIMARY KEY (schedule_id, run_id)
);

CREATE TABLE schedule_tick (
	schedule_id TEXT COLLATE "C" NOT NULL,
	tick_us BIGINT NOT NULL,
	run_id TEXT COLLATE "C" NOT NULL,
	outcome TEXT COLLATE "C" DEFAULT 'fired' NOT NULL,
	reason TEXT COLLATE "C" DEFAULT '' NOT NULL,
	at_us BIGINT DEFAULT 0 NOT NULL,
	CONSTRAINT schedule_tick_pkey PRIMARY KEY (schedule_id, tick_us)
);

CREATE INDEX schedule_tick_age ON schedule_tick (tick_us);

CREATE TABLE secret (
	agent TEXT COLLATE "C" NOT NULL,
	name TEXT COLLATE "C" NOT NULL,
	ciphertext BYTEA NOT NULL,
	version BIGINT NOT NULL,
	updated_us BIGINT NOT NULL,
	actor TEXT COLLATE "C" NOT NULL,
	CONSTRAINT secret_pkey PRIMARY KEY (agent, name)
);

CREATE TABLE session (
	agent TEXT COLLATE "C" NOT NULL,
	session_id TEXT COLLATE "C" NOT NULL,
	created_us BIGINT NOT NULL,
	used_us BIGINT NOT NULL,
	actor TEXT COLLATE "C" NOT NULL,
	CONSTRAINT session_pkey PRIMARY KEY (agent, session_id)
);

CREATE INDEX session_agent ON session (agent, used_us, session_id);

CREATE INDEX session_used ON session (used_us, agent, session_id);

CREATE TABLE session_message (
	agent TEXT COLLATE "C" NOT NULL,
	session_id TEXT COLLATE "C" NOT NULL,
	seq BIGINT NOT NULL,
	version BIGINT NOT NULL,
	until_version BIGINT,
	at_us BIGINT NOT NULL,
	run_id TEXT COLLATE "C",
	role TEXT COLLATE "C" NOT NULL,
	content TEXT COLLATE "C",
	content_blob TEXT COLLATE "C",
	CONSTRAINT session_message_pkey PRIMARY KEY (agent, session_id, seq, version)
);

CREATE INDEX session_message_until ON session_message (agent, session_id, until_version) WHERE until_version IS NOT NULL;

CREATE TABLE session_run (
	run_id TEXT COLLATE "C" NOT NULL,
	agent TEXT COLLATE "C" NOT NULL,
	session_id TEXT COLLATE "C" NOT NULL,
	undo INTEGER NOT NULL,
	CONSTRAINT session_run_pkey PRIMARY KEY (run_id)
);

CREATE INDEX session_run_session ON session_run (agent, session_id, run_id);

CREATE TABLE session_step (
	run_id TEXT COLLATE "C" NOT NULL,
	path TEXT COLLATE "C" NOT NULL,
	writes TEXT COLLATE "C",
	writes_blob TEXT COLLATE "C",
	CONSTRAINT session_step_pkey PRIMARY KEY (run_id, path)
);

CREATE TABLE session_version (
	agent TEXT COLLATE "C" NOT NULL,
	session_id TEXT COLLATE "C" NOT NULL,
	version BIGINT NOT NULL,
	at_us BIGINT NOT NULL,
	change TEXT COLLATE "C" NOT NULL,
	actor TEXT COLLATE "C" NOT NULL,
	run_id TEXT COLLATE "C",
	step TEXT COLLATE "C" NOT NULL,
	changed TEXT COLLATE "C" NOT NULL,
	state TEXT COLLATE "C",
	state_blob TEXT COLLATE "C",
	messages BIGINT NOT NULL,
	workspace TEXT COLLATE "C",
	workspace_blobs TEXT COLLATE "C",
	workspace_files BIGINT NOT NULL,
	workspace_bytes BIGINT NOT NULL,
	CONSTRAINT session_version_pkey PRIMARY KEY (agent, session_id, version)
);

CREATE TABLE webhook_delivery (
	delivery_id TEXT COLLATE "C" NOT NULL,
	run_id TEXT COLLATE "C" NOT NULL,
	agent TEXT COLLATE "C" NOT NULL,
	url TEXT COLLATE "C" NOT NULL,
	secret TEXT COLLATE "C" NOT NULL,
	state TEXT COLLATE "C" NOT NULL,
	created_us BIGINT NOT NULL,
	due_us BIGINT,
	tries INTEGER NOT NULL,
	finished_us BIGINT,
	CONSTRAINT webhook_delivery_pkey PRIMARY KEY (delivery_id)
);

CREATE INDEX webhook_delivery_due ON webhook_delivery (due_us) WHERE state = 'pending';

CREATE INDEX webhook_delivery_run ON webhook_delivery (run_id);

CREATE TABLE webhook_try (
	delivery_id TEXT COLLATE "C" NOT NULL,
	at_us BIGINT NOT NULL,
	number INTEGER NOT NULL,
	duration_us BIGINT NOT NULL,
	status INTEGER,
	error TEXT COLLATE "C",
	CONSTRAINT webhook_try_pkey PRIMARY KEY (delivery_id, at_us)
);

CREATE TABLE worker (
	worker_id TEXT COLLATE "C" NOT NULL,
	name TEXT COLLATE "C" NOT NULL,
	slots INTEGER NOT NULL,
	sandbox TEXT COLLATE "C" NOT NULL,
	started_us BIGINT NOT NULL,
	heartbeat_us BIGINT NOT NULL,
	lease_until_us BIGINT NOT NULL,
	labels TEXT COLLATE "C" DEFAULT '{}' NOT NULL,
	memory BIGINT DEFAULT 0 NOT NULL,
	cpu BIGINT DEFAULT 0 NOT NULL,
	gpu INTEGER DEFAULT 0 NOT NULL,
	busy INTEGER DEFAULT 0 NOT NULL,
	draining INTEGER DEFAULT 0 NOT NULL,
	version TEXT COLLATE "C" DEFAULT '' NOT NULL,
	hold TEXT COLLATE "C" DEFAULT '' NOT NULL,
	CONSTRAINT worker_pkey PRIMARY KEY (worker_id)
);
