-- Fails for each event that does not follow the one before it, by number or by hash.
with

audit as (select * from {{ ref('action_audit') }}),

followed as (

    select
        seq,
        hash,
        prev_hash,
        lag(seq) over (order by seq) as seq_before,
        lag(hash) over (order by seq) as hash_before

    from audit

)

select *
from followed
where
    seq_before is not null
    and (seq != seq_before + 1 or prev_hash != hash_before)
