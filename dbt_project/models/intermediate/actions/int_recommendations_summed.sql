{# What is advised together in each currency. The band of the sum takes recommendations as independent, half-widths in
   quadrature; but what a kind is assumed to do (action_kinds.effect; of a plan move, how leaving answers the bill) is
   common to all of the kind: theirs are added. The evidence of a move says how much of its band is the effect's and how
   much usage's; of other kinds with an effect, all of it is the effect's. #}
with

recommendations as (
    select
        *,
        cast({{ text_in_json('evidence', '$.with_low_effect_minor') }} as bigint) as low_effect_minor,
        cast({{ text_in_json('evidence', '$.with_high_effect_minor') }} as bigint) as high_effect_minor,
        cast({{ text_in_json('evidence', '$.with_low_usage_minor') }} as bigint) as low_usage_minor,
        cast({{ text_in_json('evidence', '$.with_high_usage_minor') }} as bigint) as high_usage_minor
    from {{ ref('recommendations') }}
    where kind != 'customer_message' and not is_held_back
),
kinds as (select * from {{ ref('action_kinds') }}),
currencies as (select * from {{ ref('currencies') }}),
templates as (select * from {{ ref('message_templates') }} where kind = 'digest_advice_worth' and locale = 'en'),

split as (

    select
        recommendations.account_id,
        recommendations.currency,
        recommendations.kind,
        recommendations.expected_value_minor as value_minor,
        kinds.effect is not null or recommendations.low_effect_minor is not null as is_assumed,
        {{ reach_of_value('below', 'effect') }} as below_by_effect,
        {{ reach_of_value('above', 'effect') }} as above_by_effect,
        {{ reach_of_value('below', 'usage') }} as below_by_usage,
        {{ reach_of_value('above', 'usage') }} as above_by_usage,
        recommendations.low_effect_minor is not null as is_split

    from recommendations
    inner join kinds
        on recommendations.kind = kinds.kind

),

-- whole numbers: their sums do not depend on the order of rows
by_kind as (

    select
        account_id,
        currency,
        kind,
        count(*) as recommendations,
        sum(value_minor) as value_minor,
        sum(case when is_assumed then below_by_effect else 0 end) as below_together,
        sum(case when is_assumed then above_by_effect else 0 end) as above_together,
        sum(case when is_split or not is_assumed then {{ squared('below_by_usage') }} else 0 end) as below_squared,
        sum(case when is_split or not is_assumed then {{ squared('above_by_usage') }} else 0 end) as above_squared
    from split
    group by account_id, currency, kind

),

by_currency as (

    select
        account_id,
        currency,
        cast(sum(recommendations) as bigint) as recommendations,
        cast(sum(value_minor) as bigint) as value_minor,
        sqrt(cast(sum({{ squared('below_together') }} + below_squared) as {{ double_type() }})) as below,
        sqrt(cast(sum({{ squared('above_together') }} + above_squared) as {{ double_type() }})) as above

    from by_kind
    group by account_id, currency

),

banded as (

    select
        account_id,
        currency,
        recommendations,
        value_minor,
        value_minor - cast(round(below) as bigint) as value_low_minor,
        value_minor + cast(round(above) as bigint) as value_high_minor

    from by_currency

),

in_words as (

    select
        banded.*,
        {{ fill_template('templates.body', {
            'value': money_to_text('banded.value_minor', 'banded.currency', 'currencies.minor_unit_exponent'),
            'low': money_to_text('banded.value_low_minor', 'banded.currency', 'currencies.minor_unit_exponent'),
            'high': money_to_text('banded.value_high_minor', 'banded.currency', 'currencies.minor_unit_exponent'),
        }) }} as worth

    from banded
    inner join currencies
        on banded.currency = currencies.currency
    cross join templates

)

select * from in_words
