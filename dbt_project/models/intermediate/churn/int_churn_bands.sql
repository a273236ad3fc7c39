{# What came of scores like these: of scores whose label has matured, and of those the models gave to customers they had
   not learnt from, the share that left, by band. The interval is Wilson's, 80 %. #}
with

bands as (select * from {{ ref('churn_bands') }}),
said as (select * from {{ ref('stg_ml__churn_risk') }}),
held_out as (select * from {{ ref('stg_ml__churn_backtest') }}),
labels as (select * from {{ ref('int_churn_labels') }} where is_mature),

scores as (

    select
        account_id,
        customer_id,
        as_of,
        horizon_days,
        probability
    from said
    -- who had cancelled was not judged by a model
    where coalesce(treatment, 'modelled') != 'leaving'
    union all
    select
        held_out.account_id,
        held_out.customer_id,
        held_out.as_of,
        held_out.horizon_days,
        held_out.probability
    from held_out
    -- what was said when it counted is what is judged
    left join said
        on {{ same_keys('held_out', 'said', ['account_id', 'customer_id', 'as_of', 'horizon_days']) }}
    where said.customer_id is null

),

-- a replay of an earlier day does not know what came of later ones
judged as (

    select
        scores.*,
        labels.is_churned
    from scores
    inner join labels
        on
            scores.account_id = labels.account_id
            and scores.customer_id = labels.customer_id
            and scores.as_of = labels.as_of_date
            and scores.horizon_days = labels.horizon_days

),

placed as (

    select
        judged.account_id,
        judged.horizon_days,
        judged.is_churned,
        max(bands.band_number) as band_number
    from judged
    inner join bands
        on
            judged.horizon_days = bands.horizon_days
            and judged.probability >= bands.from_probability
    group by
        judged.account_id,
        judged.customer_id,
        judged.as_of,
        judged.horizon_days,
        judged.is_churned

),

counted as (

    select
        account_id,
        horizon_days,
        band_number,
        count(*) as n,
        sum(case when is_churned then 1 else 0 end) as churned
    from placed
    group by
        account_id,
        horizon_days,
        band_number

)

select
    account_id,
    horizon_days,
    band_number,
    n as observed_n,
    {{ share_of('churned', 'n', 'double') }} as observed_share,
    {{ wilson_bound('churned', 'n', '-') }} as observed_low,
    {{ wilson_bound('churned', 'n', '+') }} as observed_high
from counted
