-- What the runner reads of the published warehouse (publication.py): first whose it is, then its recommendations,
-- best first, with what a plan keeps of each.
SELECT run_id, as_of, account_id, livemode, (SELECT count(*) FROM marts.dim_customers) AS customers
FROM meta.publication;

SELECT
  *,
  CASE
    WHEN is_held_back IS DISTINCT FROM false THEN 'held back as a control group'
    WHEN expires_at <= (SELECT as_of FROM meta.publication) THEN 'expired'
  END AS refusal,
  -- Everything a rule of policy.toml may ask about, as text: the ledger's JSON has no floats.
  {
    'kind': kind, 'tier': customer_tier, 'segment': segment, 'currency': currency,
    'amount_minor': CAST(amount_minor AS VARCHAR), 'pct_change': CAST(pct_change AS VARCHAR),
    'risk': CAST(risk_score AS VARCHAR), 'margin': CAST(margin AS VARCHAR)
  } AS policy_case,
  concat(
    kind, ' of ', amount_minor, ' minor units of ', currency, '; model_version ', coalesce(model_version, 'none'),
    ', expected_value_minor ', coalesce(CAST(expected_value_minor AS VARCHAR), 'none'),
    ', expected_value_low_minor ', coalesce(CAST(expected_value_low_minor AS VARCHAR), 'none'),
    ', expected_value_high_minor ', coalesce(CAST(expected_value_high_minor AS VARCHAR), 'none')
  ) AS in_numbers,
  'h1:' || sha256(coalesce(evidence, '')) AS evidence_hash
FROM marts.recommendations
ORDER BY expected_value_minor DESC NULLS LAST, recommendation_id
LIMIT ?
