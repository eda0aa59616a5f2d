create table notice (
    order_id     text not null,
    reason       text not null,
    customer_id  text not null,
    subject      text not null,
    body         text not null,
    state        text not null,             -- pending, sent
    attempts     bigint not null default 0,
    due_at       bigint not null,           -- Unix microseconds of the next attempt
    sent_at      bigint not null default 0, -- Unix microseconds
    event_id     text not null,             -- the event that called for it
    trace_parent text not null,
    primary key (order_id, reason)
);
create index notice_due on notice (due_at) where state = 'pending';
