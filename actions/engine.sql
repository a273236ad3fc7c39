-- What state.py, apply.py and guard.py ask of the ledger, each query under its name. Parameters are numbered.

-- :overview (kinds that change a state, as JSON) of every action: columns of its first event, of the plan what lists
-- and re-planning need; the newest kind that counts, steps that are done, steps, whether anybody approved
SELECT seq, action_id, recommendation_id, customer_id, subscription_id, currency, amount_minor,
  json_object(
    'recommendation_kind', json_extract(body, '$.recommendation_kind'), 'undoes', json_extract(body, '$.undoes'),
    'content_hash', json_extract(body, '$.content_hash'), 'run_id', json_extract(body, '$.run_id'),
    'expires_at', json_extract(body, '$.expires_at')),
  (SELECT kind FROM event AS e WHERE e.action_id = first.action_id AND kind IN (SELECT value FROM json_each(?1))
    ORDER BY seq DESC LIMIT 1),
  (SELECT count(*) FROM event AS e WHERE e.action_id = first.action_id AND kind IN ('outcome', 'reconciled')),
  coalesce(json_array_length(body, '$.steps'), 0),
  EXISTS (SELECT 1 FROM event AS e WHERE e.action_id = first.action_id AND kind = 'approved')
FROM event AS first
WHERE seq IN (SELECT min(seq) FROM event WHERE action_id IS NOT NULL GROUP BY action_id) ORDER BY seq

-- :rivals (customer, action, recommendation) actions that may stand in the way of this one: those of the customer that
-- were sent and have neither ended nor done all their steps, and those of the recommendation that were ever sent. Without the hints
-- SQLite, which has no statistics here, reads every intent there ever was.
SELECT DISTINCT action_id FROM event AS sent INDEXED BY intents_of_customer
WHERE kind = 'intent' AND customer_id = ?1 AND action_id <> ?2
  AND NOT EXISTS (SELECT 1 FROM event AS e WHERE e.action_id = sent.action_id
    AND e.kind IN ('failed', 'refused', 'expired', 'compensated'))
  AND (SELECT count(*) FROM event AS e WHERE e.action_id = sent.action_id AND e.kind IN ('outcome', 'reconciled'))
    < (SELECT json_array_length(e.body, '$.steps') FROM event AS e INDEXED BY events_of_action
      WHERE e.action_id = sent.action_id AND e.kind = 'planned')
UNION
SELECT action_id FROM event
WHERE recommendation_id = ?3 AND action_id <> ?2 AND kind IN ('intent', 'outcome', 'reconciled')

-- :switch (none) the newest word on the kill switch, and why
SELECT kind, reasoning FROM event
WHERE kind IN ('halted', 'resumed') AND action_id IS NULL ORDER BY seq DESC LIMIT 1
