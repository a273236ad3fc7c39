with

drift as (select * from {{ ref('stg_ml__feature_drift') }}),
accounts as (select * from {{ ref('int_as_of') }}),

described as (

    select
        accounts.account_id,
        -- files of older runs have neither
        coalesce(
            drift.model_name, case when drift.segment = 'customers' then 'churn_risk' else 'usage_forecast' end
        ) as model_name,
        coalesce(drift.test, 'shape') as test,
        drift.feature,
        drift.segment,
        drift.as_of,
        coalesce(drift.as_of = accounts.as_of, false) as is_current,
        drift.psi,
        drift.psi_limit,
        drift.statistic,
        drift.statistic_limit,
        drift.p_value,
        drift.effect,
        drift.n,
        drift.is_breach,
        drift.alert_key,
        drift.consequence,
        drift.run_id

    -- a model is the warehouse's: every account in it is scored by it
    from drift
    inner join accounts
        -- a replay of an earlier day does not know what was said later
        on drift.as_of <= accounts.as_of

)

select * from described
