create table orders (
    id              text primary key,
    idempotency_key text not null unique,
    request_hash    text not null,
    customer_id     text not null,
    currency        text not null,
    total           bigint not null,
    items           text not null, -- JSON
    state           text not null,
    reason          text not null default '',
    placed_at       bigint not null, -- Unix microseconds
    ended_at        bigint not null default 0
);
create index orders_customer on orders (customer_id, id);
create index orders_state on orders (state, id);
