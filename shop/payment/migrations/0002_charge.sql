create table charge (
    order_id     text primary key,
    customer_id  text not null,
    amount       bigint not null,
    currency     text not null,
    lines        text not null,               -- JSON
    state        text not null,
    reference    text not null,
    attempts     bigint not null default 0,   -- calls in the present state
    due_at       bigint not null default 0,   -- Unix microseconds of the next call
    event_id     text not null,               -- the event that the next outcome is caused by
    trace_parent text not null
);
create index charge_due on charge (due_at) where state in ('pending', 'refunding', 'voiding');
