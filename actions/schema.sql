-- Version 1, never edited again (schema_2.sql goes on); an empty line ends a statement. One table: what happened, in order. Nothing is changed or removed.
CREATE TABLE event (
  seq INTEGER PRIMARY KEY,
  event_id TEXT NOT NULL UNIQUE,
  at_us INTEGER NOT NULL,
  wall_us INTEGER NOT NULL,
  kind TEXT NOT NULL CHECK (kind IN (
    'genesis', 'planned', 'superseded', 'approved', 'declined', 'expired', 'shadowed', 'refused',
    'intent', 'attempt', 'outcome', 'failed', 'ambiguous', 'reconciled', 'compensated', 'notified',
    'halted', 'resumed', 'mode_changed', 'webhook_seen', 'restored', 'reviewed', 'blocked')),
  recommendation_id TEXT,
  action_id TEXT,
  step INTEGER NOT NULL DEFAULT 0,
  attempt INTEGER NOT NULL DEFAULT 0,
  account_id TEXT NOT NULL,
  livemode INTEGER NOT NULL CHECK (livemode IN (0, 1)),
  customer_id TEXT,
  subscription_id TEXT,
  object_id TEXT,
  stripe_event_id TEXT,
  request_id TEXT,
  idempotency_key TEXT,
  plan_hash TEXT,
  currency TEXT,
  amount_minor INTEGER,
  actor TEXT NOT NULL,
  actor_assurance TEXT NOT NULL,
  reasoning TEXT NOT NULL CHECK (length(reasoning) BETWEEN 1 AND 4000),
  body TEXT NOT NULL CHECK (json_valid(body) AND length(body) <= 65536),
  prev_hash TEXT NOT NULL,
  hash TEXT NOT NULL UNIQUE
) STRICT;

CREATE INDEX events_of_action ON event (action_id);

CREATE INDEX intents_of_customer ON event (customer_id) WHERE kind = 'intent';

CREATE UNIQUE INDEX one_intent ON event (action_id, step, attempt) WHERE kind = 'intent';

CREATE UNIQUE INDEX one_outcome ON event (action_id, step) WHERE kind IN ('outcome', 'reconciled');

CREATE UNIQUE INDEX one_approval ON event (plan_hash, actor) WHERE kind = 'approved';

CREATE UNIQUE INDEX one_webhook ON event (stripe_event_id) WHERE kind = 'webhook_seen';

CREATE TRIGGER no_update BEFORE UPDATE ON event BEGIN SELECT RAISE(ABORT, 'append-only'); END;

CREATE TRIGGER no_delete BEFORE DELETE ON event BEGIN SELECT RAISE(ABORT, 'append-only'); END;

-- INSERT OR REPLACE deletes without firing a delete trigger, through the partial indexes as well.
CREATE TRIGGER no_replace BEFORE INSERT ON event WHEN
  EXISTS (SELECT 1 FROM event WHERE seq = new.seq)
  OR EXISTS (SELECT 1 FROM event WHERE event_id = new.event_id)
  OR EXISTS (SELECT 1 FROM event WHERE hash = new.hash)
  OR (new.kind = 'intent' AND EXISTS (SELECT 1 FROM event
    WHERE kind = 'intent' AND action_id = new.action_id AND step = new.step AND attempt = new.attempt))
  OR (new.kind IN ('outcome', 'reconciled') AND EXISTS (SELECT 1 FROM event
    WHERE kind IN ('outcome', 'reconciled') AND action_id = new.action_id AND step = new.step))
  OR (new.kind = 'approved' AND EXISTS (SELECT 1 FROM event
    WHERE kind = 'approved' AND plan_hash = new.plan_hash AND actor = new.actor))
  OR (new.kind = 'webhook_seen' AND EXISTS (SELECT 1 FROM event
    WHERE kind = 'webhook_seen' AND stripe_event_id = new.stripe_event_id))
BEGIN SELECT RAISE(ABORT, 'append-only or duplicate claim'); END;
