{# How a metered price bills, in words. A price with flat fees, packages, or tiers without a price is left out, because
   the words would not say all of it. #}
with

tiers as (select * from {{ ref('int_price_tiers') }}),
prices as (select * from {{ ref('dim_prices') }} where usage_type = 'metered'),
meters as (select * from {{ ref('stg_stripe__meters') }}),
currencies as (select * from {{ ref('currencies') }}),
templates as (select * from {{ ref('message_templates') }} where locale = 'en'),
sentences as (select * from templates where kind = 'invoice_note_meter'),

placed as (

    select
        tiers.*,
        currencies.minor_unit_exponent,
        count(*) over by_price as tiers_in_all,
        bool_and(
            tiers.rating_mode in ('graduated', 'volume', 'per_unit')
            and tiers.unit_amount_decimal is not null
            and coalesce(tiers.flat_amount_decimal, 0) = 0
            and not (tiers.is_included and tiers.upper_bound is null)
        ) over by_price as is_worded

    from tiers
    inner join currencies
        on tiers.currency = currencies.currency
    window by_price as (partition by tiers.account_id, tiers.price_id, tiers.currency)

),

chosen as (

    select
        *,
        'invoice_note_' || case
            when is_included then 'included'
            when tiers_in_all = 1 then 'each'
            when upper_bound is null then rating_mode || '_last'
            else rating_mode
        end as template

    from placed
    where is_worded

),

steps as (

    select
        chosen.account_id,
        chosen.price_id,
        chosen.currency,
        {{ texts_joined(
            fill_template('templates.body', {
                'from': quantity_to_text('chosen.lower_bound'),
                'price': unit_price_to_text('chosen.unit_amount_decimal', 'chosen.currency', 'chosen.minor_unit_exponent'),
                'to': quantity_to_text('chosen.upper_bound'),
            }), '; ', 'chosen.tier_index'
        ) }} as steps

    from chosen
    inner join templates
        on chosen.template = templates.kind
    group by
        chosen.account_id,
        chosen.price_id,
        chosen.currency

),

worded as (

    select
        steps.account_id,
        steps.price_id,
        steps.currency,
        {{ fill_template('sentences.body', {
            'meter': safe_name('meters.meter_name', 'prices.meter_id'),
            'product': safe_name('prices.product_name', 'prices.product_id'),
            'steps': 'steps.steps',
        }) }} as sentence

    from steps
    inner join prices
        on {{ same_keys('steps', 'prices', ['account_id', 'price_id']) }}
    cross join sentences
    left join meters
        on {{ same_keys('prices', 'meters', ['account_id', 'meter_id']) }}

)

select * from worded
