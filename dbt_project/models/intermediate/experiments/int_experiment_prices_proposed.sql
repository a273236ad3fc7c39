{# The price of each variant that is not there yet, once a person has released the experiment. Nobody pays it until they
   are moved to it. #}
{% set key = ['account_id', 'experiment_id', 'variant'] %}
{% set price = ['account_id', 'book', 'price_id', 'currency'] %}
{% set terms = ['account_id', 'product_id', 'meter_id', 'billing_interval', 'interval_count'] %}
with

states as (
    select * from {{ ref('int_price_experiment_states') }} where state in ('planned', 'running') and not is_control
),
assignments as (select * from {{ ref('price_experiment_assignments') }}),
book_tiers as (select * from {{ ref('int_price_book_tiers') }}),
books as (select * from {{ ref('int_price_books_judged') }}),
prices as (select * from {{ ref('stg_stripe__prices') }} where not is_deleted),
products as (select * from {{ ref('stg_stripe__products') }}),

tiers_written as (

    select
        {{ columns_of('book_tiers', price) }},
        max(rating_mode) as rating_mode,
        max(package_size) as package_size,
        max({{ decimal_text('unit_amount_decimal') }}) as unit_amount,
        {{ json_of_rows(tier_of_stripe(), 'tier_index') }} as tiers
    from book_tiers
    group by {{ columns_of('book_tiers', price) }}

),

wanted as (

    select distinct
        {{ columns_of('states', key) }},
        states.as_of,
        states.starts_on,
        states.price_book,
        assignments.price_id,
        assignments.currency
    from states
    inner join assignments on {{ same_keys('states', 'assignments', key) }}

),

proposed as (

    select
        wanted.account_id,
        'experiment_price' as kind,
        wanted.as_of,
        cast(null as {{ text_type() }}) as customer_id,
        cast(null as {{ text_type() }}) as subscription_id,
        cast(null as {{ text_type() }}) as source_event_id,
        wanted.price_id as subject_id,
        wanted.experiment_id || ':' || wanted.variant as target_key,
        {{ date_text('wanted.starts_on') }} as period,
        wanted.currency,
        cast(0 as bigint) as amount_minor,
        cast(null as decimal(18, 6)) as pct_change,
        cast(0 as bigint) as monthly_change_minor,
        {{ price_of_stripe('wanted', 'prices', 'tiers_written') }} as params,
        {{ as_json_text({
            'currency': 'wanted.currency',
            'livemode': 'prices.livemode',
            'product': 'prices.product_id',
        }) }} as precondition,
        {{ as_json_text({
            'experiment': 'wanted.experiment_id',
            'margin': as_text('books.margin'),
            'price_book': 'wanted.price_book',
            'price_id': 'wanted.price_id',
            'variant': 'wanted.variant',
        }) }} as evidence,
        'experiment_price' as template,
        {{ as_json_text({
            'book': 'wanted.price_book',
            'currency': 'upper(wanted.currency)',
            'experiment': 'wanted.experiment_id',
            'product': safe_name('products.product_name', 'prices.product_id'),
            'starts_on': date_text('wanted.starts_on'),
            'variant': 'wanted.variant',
        }) }} as words,
        'price_experiments' as model_version,
        cast(0 as bigint) as expected_value_minor,
        cast(0 as bigint) as expected_value_low_minor,
        cast(0 as bigint) as expected_value_high_minor,
        cast(0.5 as {{ double_type() }}) as confidence,
        cast(0 as {{ double_type() }}) as urgency
    from wanted
    inner join prices on {{ same_keys('wanted', 'prices', ['account_id', 'price_id']) }}
    inner join books on wanted.account_id = books.account_id and wanted.price_book = books.book
    inner join tiers_written
        on
            {{ same_keys('wanted', 'tiers_written', ['account_id', 'price_id', 'currency']) }}
            and wanted.price_book = tiers_written.book
    left join products on {{ same_keys('prices', 'products', ['account_id', 'product_id']) }}
    left join prices as made
        on
            {{ same_keys('prices', 'made', terms) }}
            and wanted.currency = made.currency
            and wanted.experiment_id = made.experiment_id
            and wanted.variant = made.experiment_variant
    where made.price_id is null

)

select * from proposed
