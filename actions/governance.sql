-- What governance.py asks of the ledger, each query under its name. Parameters are numbered.

-- :phase (kind)
SELECT json_extract(body, '$.phase') FROM event
WHERE kind = 'mode_changed' AND json_extract(body, '$.kind') = ?1 ORDER BY seq DESC LIMIT 1

-- :agreement (kind) reviewed subjects, agreeing words, words, all of these since the kind came to its phase; newest
-- words that say wrong, of all time; microsecond of the first use in this phase
WITH since AS (
  SELECT coalesce(max(seq), 0) AS seq FROM event WHERE kind = 'mode_changed' AND json_extract(body, '$.kind') = ?1
),
-- The newest word of each person on each subject: SQLite takes the other columns from the row that has the max().
word AS (
  SELECT coalesce(recommendation_id, object_id) AS subject, json_extract(body, '$.verdict') AS verdict, max(seq) AS seq
  FROM event WHERE kind = 'reviewed' AND json_extract(body, '$.recommendation_kind') = ?1 GROUP BY subject, actor
),
fresh AS (SELECT * FROM word WHERE seq > (SELECT seq FROM since))
SELECT
  (SELECT count(DISTINCT subject) FROM fresh),
  (SELECT count(*) FROM fresh WHERE verdict = 'agree'),
  (SELECT count(*) FROM fresh),
  (SELECT count(*) FROM word WHERE verdict = 'wrong'),
  (SELECT min(at_us) FROM event AS used
    WHERE kind IN ('shadowed', 'intent') AND seq > (SELECT seq FROM since) AND EXISTS (
      SELECT 1 FROM event AS plan WHERE plan.action_id = used.action_id AND plan.kind = 'planned'
        AND json_extract(plan.body, '$.recommendation_kind') = ?1))

-- :booked (currency, since_us, exactly, value) actions and their amounts in that currency. An action is booked at its
-- first intent, for good, unless nothing came of it; what nobody knows counts. exactly = 0 is cheaper and never less.
SELECT count(*), coalesce(sum(amount_minor) FILTER (WHERE currency = ?1), 0) FROM event AS sent
WHERE kind = 'intent' AND step = 0 AND attempt = 0 AND at_us >= ?2 AND ?4 IS ?4
  AND (NOT ?3
    OR EXISTS (SELECT 1 FROM event AS e WHERE e.action_id = sent.action_id AND e.kind IN ('outcome', 'reconciled'))
    OR NOT EXISTS (SELECT 1 FROM event AS e WHERE e.action_id = sent.action_id
      AND e.kind IN ('failed', 'refused', 'expired')))

-- :of_customer
  AND customer_id = ?4

-- :of_kind
  AND json_extract(body, '$.recommendation_kind') = ?4

-- :runs (number) the newest publications that plans were made of, and how many of each; a message goes with another
-- plan, and is no second one
SELECT json_extract(body, '$.run_id') AS run, sum(json_extract(body, '$.recommendation_kind') IS NOT 'customer_message')
FROM event WHERE kind = 'planned' AND run IS NOT NULL GROUP BY run ORDER BY max(seq) DESC LIMIT ?1

-- :touched (run_id) how many customers the plans of this publication are for
SELECT count(DISTINCT customer_id) FROM event WHERE kind = 'planned' AND json_extract(body, '$.run_id') = ?1
