create table ledger (
    seq             bigint generated always as identity primary key,
    event_source    text not null,
    event_id        text not null,
    event_type      text not null,
    order_id        text not null,
    detail          text not null,
    topic           text not null,
    topic_partition integer not null,
    topic_offset    bigint not null,
    happened_at     bigint not null, -- when the event says it happened, Unix microseconds
    entered_at      bigint not null  -- when it was handled, Unix microseconds
);
create index ledger_order on ledger (order_id, seq);
