{# A view: a run writes hundreds of rows per item and period, of which one as-of day at a time is read. Of several runs
   for one day (and model version, of backtested days) the newest counts, as a whole. #}
{{ config(materialized='view') }}

with

paths as (select {{ score_columns('usage_paths') }} from {{ source('ml_scores', 'usage_paths') }}),

runs as (

    select distinct
        account_id,
        as_of,
        is_backtest,
        case when is_backtest then coalesce(model_version, '') end as backtested_version,
        run_id,
        scored_at
    from paths

),

ranked as (

    select
        *,
        row_number() over (
            partition by account_id, as_of, is_backtest, backtested_version
            order by scored_at desc, run_id desc
        ) as run_from_last
    from runs

)

select {{ columns_of('paths', score_tables()['usage_paths'].keys() | list) }}
from paths
inner join ranked
    on
        {{ same_keys('paths', 'ranked', ['account_id', 'as_of', 'is_backtest', 'run_id']) }}
        and ranked.run_from_last = 1
        and coalesce(ranked.backtested_version = coalesce(paths.model_version, ''), true)
