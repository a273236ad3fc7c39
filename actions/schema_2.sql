-- What version 2 adds to schema.sql. New files get both, old ones this alone, so every ledger has the same layout.
ALTER TABLE event ADD COLUMN source_event_id TEXT;

-- Seen with `ORDER BY action_id, seq`: the states of all actions come out of the index, without the bodies.
DROP INDEX events_of_action;

CREATE INDEX events_of_action ON event (action_id, seq, kind, step, attempt, recommendation_id, customer_id);

CREATE INDEX events_of_recommendation ON event (recommendation_id);

CREATE INDEX events_of_kind ON event (kind, at_us);

-- What caps add up (governance.sql): an action is booked at its first intent. All columns that the query names are in
-- them, or SQLite would read every row.
CREATE INDEX first_intents ON event (at_us, kind, step, attempt, action_id, currency, amount_minor)
  WHERE kind = 'intent' AND step = 0 AND attempt = 0;

CREATE INDEX first_intents_of_customer ON event (customer_id, at_us, kind, step, attempt, action_id, currency, amount_minor)
  WHERE kind = 'intent' AND step = 0 AND attempt = 0;
